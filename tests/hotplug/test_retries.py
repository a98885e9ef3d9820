"""What waits for a collector that is away is sent when it is back, whatever the wall clock does meanwhile."""

from __future__ import annotations

from pathlib import Path

from cleaners import Cleaners
from clock import AHEAD, BACK, step
from support import collector, eventually, free_port, running


def test_a_clock_that_steps_by_years_holds_up_no_event_and_sends_none_twice(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path / "agent", "kprobe", f"--push.endpoint=http://127.0.0.1:{port}") as agent:
        cleaners = Cleaners(agent, tmp_path)
        cleaners.clear("refused", times=1)
        eventually(lambda: agent.count("kmsg_exporter_push_failures_total", reason="refused") >= 1)
        for number, by in enumerate((AHEAD, BACK, BACK)):  # while the next attempt is waited for
            step(by)
            cleaners.clear(f"waits-{number}", times=1)
        cleaners.are_counted_once_and_named()
        with collector(port, tmp_path / "collected"):
            eventually(lambda: agent.value("kmsg_exporter_push_queue_events") == 0)
            agent.collector_port = port
            uids = [event["log.record.uid"] for event in agent.events()]
            assert sorted(stored["uid"] for stored in agent.collected()) == uids
