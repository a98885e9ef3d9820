"""However often and whenever the agent is killed, every emptying arrives at the collector once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collecting import Collector, collecting
from figures import Figures
from scraper import scraped
from support import CLEAR, all_records, eventually, first_to_hide, klogctl, ours_in_tracefs, printk, running

DMESG = os.path.realpath(shutil.which("dmesg") or "dmesg")
ROUNDS = 100
EMULATED_ROUNDS = 10
PAUSE_SECONDS = 0.05
CLEARS_WHILE_AWAY = 5


def test_killed_at_100_moments_each_hidden_record_arrives_in_one_event(
    tmp_path: Path, backend: str, figures: Figures, emulated: bool
) -> None:
    chance = random.Random(100)
    rounds = EMULATED_ROUNDS if emulated else ROUNDS
    with (
        collecting(tmp_path / "collected") as collector,
        running(tmp_path / "agent", backend, f"--push.endpoint=http://127.0.0.1:{collector.port}") as agent,
        scraped(agent.port),
    ):
        before = agent.count("kmsg_emptied_total")
        printk("before the first round")
        klogctl(CLEAR)
        eventually(lambda: agent.count("kmsg_emptied_total") > before)
        agent.told()  # or it is in one event with what follows
        begin = first_to_hide()
        with emptyings() as stream:
            for _ in range(rounds):
                agent.kill_while_it_starts(chance)
                agent.spawn()
            agent.until_ready()
        end = newest()
        klogctl(CLEAR)
        told = eventually(lambda: ranges_from(collector, begin) if covers(ranges_from(collector, begin), end) else None)
        assert told[0][0] == begin
        assert [later[0] for later in told[1:]] == [earlier[1] + 1 for earlier in told[:-1]]
        eventually(lambda: agent.value("kmsg_exporter_push_queue_events") == 0)
        stored = [event["attributes"] for event in collector.stored()]
        sequences = sorted(int(event["kmsg.sequence"]) for event in stored)
        assert sequences == list(range(1, len(sequences) + 1))
        unknown = sum("process.pid" not in event for event in stored)
        figures.add(
            f"emptyings over {rounds} kills",
            f"{stream.made}, in {len(stored)} events, {unknown} of them of nobody known",
        )


def test_five_clears_while_it_was_killed_are_counted_named_and_sent(tmp_path: Path, backend: str) -> None:
    with (
        collecting(tmp_path / "collected") as collector,
        running(tmp_path / "agent", backend, f"--push.endpoint=http://127.0.0.1:{collector.port}") as agent,
    ):
        printk("before the kill")
        klogctl(CLEAR)
        begin = first_to_hide()
        eventually(lambda: covers(ranges_from(collector, 0), begin - 1))
        agent.stop(signal.SIGKILL)
        for number in range(CLEARS_WHILE_AWAY):
            printk(f"while it was away {number}")
            subprocess.run([DMESG, "-C"], check=True)
        agent.start()
        assert agent.count("kmsg_clears_total", comm="dmesg", exe=DMESG, action="clear") == CLEARS_WHILE_AWAY
        (attributes,) = eventually(lambda: beginning_with(collector, begin))
        assert (attributes["kmsg.process.comm"], attributes["process.executable.path"]) == ("dmesg", DMESG)
        assert int(attributes["kmsg.coalesced"]) == CLEARS_WHILE_AWAY
        assert int(attributes["kmsg.hidden.records"]) >= CLEARS_WHILE_AWAY
        assert agent.stop() == 0
    assert ours_in_tracefs() == []


class Stream:
    """How many emptyings were `made`."""

    made = 0


@contextmanager
def emptyings() -> Iterator[Stream]:
    """One line and one clear, over and over."""
    stream, over = Stream(), threading.Event()

    def empty() -> None:
        while not over.wait(PAUSE_SECONDS):
            printk("for the next emptying")
            klogctl(CLEAR)
            stream.made += 1

    thread = threading.Thread(target=empty)
    thread.start()
    try:
        yield stream
    finally:
        over.set()
        thread.join()


def newest() -> int:
    """The sequence number of the newest record."""
    return int(all_records()[-1].split(",")[1])


def beginning_with(collector: Collector, first: int) -> list[dict[str, Any]]:
    """The stored events whose first hidden record has that sequence number."""
    found = [event["attributes"] for event in collector.stored()]
    return [event for event in found if int(event.get("kmsg.hidden.first_seq", -1)) == first]


def ranges_from(collector: Collector, begin: int) -> list[tuple[int, int]]:
    """What the stored events say they hid, from a sequence number on."""
    found = [event["attributes"] for event in collector.stored()]
    ranges = [
        (int(event["kmsg.hidden.first_seq"]), int(event["kmsg.hidden.last_seq"]))
        for event in found
        if "kmsg.hidden.last_seq" in event
    ]
    return sorted(one for one in ranges if one[1] >= begin)


def covers(ranges: list[tuple[int, int]], end: int) -> bool:
    return bool(ranges) and ranges[-1][1] >= end
