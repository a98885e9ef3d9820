"""Between the kernel and the collector nothing is lost and nothing told twice, whenever the agent is killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support import IN_GUEST, Agent, all_records, collector, eventually, first_to_hide, free_port, printk, running

DMESG = os.path.realpath(shutil.which("dmesg") or "dmesg")
ROUNDS = 4 if IN_GUEST else 6
pytestmark = pytest.mark.once


@pytest.mark.kernels  # natively: on all of them a guest would wait as long
def test_an_event_reaches_a_collector_that_was_away_once(tmp_path: Path, backend: str) -> None:
    port = free_port()
    with running(tmp_path, backend, f"--push.endpoint=http://127.0.0.1:{port}") as agent:
        printk("while the collector is away")
        end = newest()
        subprocess.run([DMESG, "-C"], check=True)
        hidden = "kmsg.hidden.last_seq"
        event = eventually(lambda: [one for one in agent.events() if one.get(hidden, -1) >= end])[0]
        eventually(lambda: agent.count("kmsg_exporter_push_failures_total", reason="refused") >= 1)
        assert agent.count("kmsg_exporter_push_queue_events") == len(agent.events())
        with collector(port, tmp_path / "collected"):
            eventually(lambda: agent.value("kmsg_exporter_push_queue_events") == 0)
            agent.collector_port = port
            assert [stored["uid"] for stored in agent.collected()].count(str(event["log.record.uid"])) == 1
            assert len(agent.collected()) == len(agent.events())


@pytest.mark.kernels("6.12")
def test_killed_at_any_moment_it_tells_each_hidden_record_once(tmp_path: Path, backend: str) -> None:
    """The ranges of sequence numbers in the events lie one behind the other without a gap."""
    chance = random.Random(20)
    with running(tmp_path, backend, "--collector.embedded") as agent:
        before = agent.count("kmsg_emptied_total")
        printk("before the first round")
        subprocess.run([DMESG, "-C"], check=True)
        eventually(lambda: agent.count("kmsg_emptied_total") > before)
        agent.told()  # or it is in one event with what follows
        begin = first_to_hide()
        for number in range(ROUNDS):
            for line in range(chance.randrange(1, 4)):
                printk(f"round {number} line {line}")
                subprocess.run([DMESG, "-C"], check=True)
            agent.kill_while_it_starts(chance)
            printk(f"round {number} while it was away")
            subprocess.run([DMESG, "-C"], check=True)
            agent.spawn()
        agent.until_ready()
        end = first_to_hide() - 1
        told = eventually(lambda: ranges_from(agent, begin) if covers(ranges_from(agent, begin), end) else None)
        assert told[0][0] == begin
        assert [later[0] for later in told[1:]] == [earlier[1] + 1 for earlier in told[:-1]]
        eventually(lambda: agent.value("kmsg_exporter_push_queue_events") == 0)
        events = agent.events()
        assert [event["kmsg.sequence"] for event in events] == list(range(1, len(events) + 1))
        uids = sorted(str(event["log.record.uid"]) for event in events)
        # a scrape that a slow machine answers late may still say that nothing waits
        eventually(lambda: sorted(stored["uid"] for stored in agent.collected()) == uids)
        assert agent.stop(signal.SIGTERM) == 0


def newest() -> int:
    """The sequence number of the newest record."""
    return int(all_records()[-1].split(",")[1])


def ranges_from(agent: Agent, begin: int) -> list[tuple[int, int]]:
    """What the events say they hid, from a sequence number on."""
    events = [event for event in agent.events() if event.get("kmsg.hidden.last_seq", -1) >= begin]
    return sorted((event["kmsg.hidden.first_seq"], event["kmsg.hidden.last_seq"]) for event in events)


def covers(ranges: list[tuple[int, int]], end: int) -> bool:
    return bool(ranges) and ranges[-1][1] == end
