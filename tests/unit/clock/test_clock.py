"""The boot clock, which goes on while the machine sleeps, beside the wall clock, which may step."""

from __future__ import annotations

import time
from inspect import signature

import pytest

from kmsg_exporter import clock
from kmsg_exporter.probes.backend import RecordReader

HOUR_NS = 3600 * 10**9
UP_NS = 5 * HOUR_NS
NOW_UNIX_NS = 1_700_000_000 * 10**9


@pytest.fixture(autouse=True)
def _slept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the boot clock has counted the hours of sleep: to ask for another one is an error."""
    monkeypatch.setattr(time, "clock_gettime_ns", {time.CLOCK_BOOTTIME: UP_NS}.__getitem__)
    monkeypatch.setattr(time, "time_ns", lambda: NOW_UNIX_NS)


def test_what_happened_before_a_sleep_is_told_at_the_time_it_had_then() -> None:
    assert clock.unix_ns(UP_NS - 3 * HOUR_NS) == NOW_UNIX_NS - 3 * HOUR_NS


def test_records_and_looks_are_compared_on_the_same_clock() -> None:
    assert clock.boot_ns() == signature(RecordReader).parameters["boot_ns"].default() == UP_NS


@pytest.mark.parametrize("step_ns", [365 * 24 * HOUR_NS, -365 * 24 * HOUR_NS])
def test_a_step_of_the_wall_clock_moves_what_is_told_and_nothing_that_is_compared(
    monkeypatch: pytest.MonkeyPatch, step_ns: int
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: NOW_UNIX_NS + step_ns)
    assert clock.unix_ns(UP_NS) == NOW_UNIX_NS + step_ns
    assert clock.boot_ns() == UP_NS


def test_a_pause_between_the_readings_of_both_clocks_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    up = [UP_NS]

    def wall() -> int:
        now_ns = NOW_UNIX_NS + up[0] - UP_NS
        if up[0] == UP_NS:  # the first time, somebody else runs for a second
            up[0] += 10**9
        return now_ns

    monkeypatch.setattr(time, "clock_gettime_ns", lambda _: up[0])
    monkeypatch.setattr(time, "time_ns", wall)
    assert clock.unix_ns(UP_NS) == NOW_UNIX_NS
