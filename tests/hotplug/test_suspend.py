"""The machine is suspended and comes back: who cleared before and after is told once, at its moment and in order.

Firmware is not entered: `pm_test` (Documentation/power/basic-pm-debugging) takes all else down, tasks, devices, CPUs
and timekeeping, and resumes after five seconds.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cleaners import Cleaners
from support import Agent, eventually
from test_clock import counters, said_by

from kmsg_exporter.clock import boot_ns

POWER = Path("/sys/power")
SLEEP_SECONDS = 3.0  # of five: the clock that knows how long it was ticks in seconds


def suspend() -> float:
    """By how many seconds CLOCK_BOOTTIME went on while CLOCK_MONOTONIC stood still."""

    def apart() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)

    before = apart()
    (POWER / "pm_test").write_text("core")
    try:
        (POWER / "mem_sleep").write_text("deep")
        (POWER / "state").write_text("mem")
    finally:
        (POWER / "pm_test").write_text("none")
    return apart() - before


def test_clears_on_both_sides_of_a_suspend_are_told_once_and_in_order(agent: Agent, tmp_path: Path) -> None:
    cleaners = Cleaners(agent, tmp_path)
    told = int(agent.count("kmsg_emptied_total"))
    for sequence in (told + 1, told + 2):
        before, since_ns = counters(agent), boot_ns()
        cleaners.clear(f"asleep-{sequence}", times=1)
        asked_ns = boot_ns()
        assert suspend() > SLEEP_SECONDS  # at once, so that it may be read, told and sent only afterwards
        event = said_by(agent, sequence)
        assert event["kmsg.process.comm"] == f"asleep-{sequence}"
        assert since_ns < event["kmsg.boottime_nano"] < asked_ns
        ago = (boot_ns() - event["kmsg.boottime_nano"]) / 1e9
        assert event["time_unix_ns"] / 1e9 == pytest.approx(time.time() - ago, abs=1.0)
        after = counters(agent)
        assert [name for name, value in before.items() if after[name] < value] == []
    cleaners.clear("awake", times=1)
    assert said_by(agent, told + 3)["kmsg.process.comm"] == "awake"
    cleaners.are_counted_once_and_named()
    eventually(lambda: agent.value("kmsg_exporter_push_queue_events") == 0)
    assert len(agent.collected()) == len(agent.events())
