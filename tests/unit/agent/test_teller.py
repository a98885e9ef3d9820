"""Emptyings are told in their order, by a thread that waits for the disk instead of the agent."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from kmsg_exporter.agent.teller import Teller
from kmsg_exporter.model import Emptying, Hidden

EMPTYING = Emptying(time_unix_ns=1, hidden=Hidden())


def test_all_is_told_in_order_before_it_ends() -> None:
    told: list[tuple[int, int | None]] = []

    def tell(emptying: Emptying, visible_from: int | None) -> None:
        told.append((emptying.time_unix_ns, visible_from))

    with Teller(tell, sample=50, apart_seconds=0) as teller:
        for number in range(100):
            teller.put(replace(EMPTYING, time_unix_ns=number), number)
    assert told == [(number, number) for number in range(100)]


def test_the_first_is_told_at_once_and_what_follows_soon_is_one_event_that_forgets_none() -> None:
    told: list[tuple[int, int, int | None]] = []
    first = threading.Event()

    def tell(emptying: Emptying, visible_from: int | None) -> None:
        told.append((emptying.time_unix_ns, emptying.coalesced, visible_from))
        first.set()

    with Teller(tell, sample=50, apart_seconds=600) as teller:
        teller.put(EMPTYING, 1)
        assert first.wait(30)
        for number in range(2, 1000):
            teller.put(replace(EMPTYING, time_unix_ns=number), number)
    assert told == [(1, 1, 1), (999, 998, 999)]


def test_what_is_held_is_told_when_its_time_has_come() -> None:
    told: list[int] = []
    second = threading.Event()

    def tell(emptying: Emptying, _: int | None) -> None:
        told.append(emptying.coalesced)
        if len(told) == 2:
            second.set()

    with Teller(tell, sample=50, apart_seconds=0.05) as teller:
        teller.put(EMPTYING, 1)
        teller.put(EMPTYING, 2)
        assert second.wait(30)
        assert sum(told) == 2


def test_a_disk_that_takes_its_time_keeps_nobody_waiting() -> None:
    disk = threading.Event()
    told: list[int | None] = []

    def slow(_: Emptying, visible_from: int | None) -> None:
        assert disk.wait(30)
        told.append(visible_from)

    with Teller(slow, sample=50, apart_seconds=0) as teller:
        teller.put(EMPTYING, 1)
        teller.put(EMPTYING, 2)
        assert told == []
        disk.set()
    assert told == [1, 2]


def test_what_finds_no_room_is_told_by_the_log(caplog: pytest.LogCaptureFixture) -> None:
    disk = threading.Event()
    told: list[int | None] = []

    def stuck(_: Emptying, visible_from: int | None) -> None:
        assert disk.wait(30)
        told.append(visible_from)

    with Teller(stuck, sample=50, apart_seconds=0) as teller:
        for number in range(1026):
            teller.put(EMPTYING, number)
        disk.set()
    assert len(told) in (1024, 1025)  # one may have left the queue before it was full
    assert set(caplog.messages) == {"the disk takes nothing: that an unknown process emptied dmesg is not stored"}


def test_one_that_can_not_be_told_does_not_keep_the_next(caplog: pytest.LogCaptureFixture) -> None:
    told: list[int | None] = []

    def broken(_: Emptying, visible_from: int | None) -> None:
        if visible_from == 1:
            raise ValueError("no room")
        told.append(visible_from)

    with Teller(broken, sample=50, apart_seconds=0) as teller:
        teller.put(EMPTYING, 1)
        teller.put(EMPTYING, 2)
    assert told == [2]
    assert caplog.messages == ["an emptying could not be told"]
