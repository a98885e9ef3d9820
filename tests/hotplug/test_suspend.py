"""The machine is suspended and resumed while the agent runs: nothing is lost, counted twice or told at a wrong time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from cleaners import Cleaners
from support import Agent, eventually

POWER = Path("/sys/power")
MINUTE = 60.0


def suspend() -> None:
    """The kernel's own test of it: everything is suspended but the firmware's part, and resumed five seconds later.

    No emulated machine here comes back from the firmware's.
    """
    (POWER / "pm_test").write_text("core")
    (POWER / "state").write_text("mem")


def test_clears_before_and_after_a_suspend_are_counted_once_and_told_in_order(agent: Agent, tmp_path: Path) -> None:
    cleaners = Cleaners(agent, tmp_path)
    told = len(eventually(agent.events)) if agent.count("kmsg_emptied_total") else 0
    cleaners.clear("before", times=3)
    suspend()
    cleaners.clear("after", times=3)
    cleaners.are_counted_once_and_named()
    assert agent.is_ready()
    events = eventually(lambda: len(agent.events()) >= told + 2 and agent.events()[told:])
    times = [event["time_unix_ns"] for event in events]
    assert times == sorted(times)
    assert times[-1] / 1e9 == pytest.approx(time.time(), abs=MINUTE)
