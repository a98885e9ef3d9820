"""Emptyings are told in their order, by a thread that waits for the disk instead of the agent."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from kmsg_exporter.agent.teller import Teller, Told
from kmsg_exporter.model import Emptying, Hidden


def one(number: int) -> Told:
    return Told(Emptying(time_unix_ns=number, hidden=Hidden()), number, number)


def teller(
    tell: Callable[[Told], bool],
    *,
    apart_seconds: float = 0,
    draft: Callable[[Told], bool] = lambda _: True,
    kept: Callable[[int], None] = lambda _: None,
) -> Teller:
    return Teller(tell, sample=50, draft=draft, kept=kept, apart_seconds=apart_seconds)


class Log:
    """What was told, in order; it can be waited for."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.first, self.second = threading.Event(), threading.Event()

    def __call__(self, told: Told) -> bool:
        self.told.append(told)
        self.first.set()
        if len(self.told) == 2:
            self.second.set()
        return True


def test_all_is_told_in_order_before_it_ends() -> None:
    log = Log()
    with teller(log) as told:
        for number in range(1, 101):
            told.put(one(number))
    assert sum(each.emptying.coalesced for each in log.told) == 100
    assert [each.number for each in log.told] == sorted({each.number for each in log.told})
    assert (log.told[-1].number, log.told[-1].visible_from, log.told[-1].emptying.time_unix_ns) == (100, 100, 100)


def test_the_first_is_told_at_once_and_what_follows_soon_is_one_event_that_forgets_none() -> None:
    log = Log()
    with teller(log, apart_seconds=600) as told:
        told.put(one(1))
        assert log.first.wait(30)
        for number in range(2, 1000):
            told.put(one(number))
    assert [(each.emptying.time_unix_ns, each.emptying.coalesced, each.visible_from) for each in log.told] == [
        (1, 1, 1),
        (999, 998, 999),
    ]


def test_what_is_held_is_told_when_its_time_has_come() -> None:
    log = Log()
    with teller(log, apart_seconds=0.05) as told:
        told.put(one(1))
        assert log.first.wait(30)
        told.put(one(2))
        assert log.second.wait(30)
        assert [each.number for each in log.told] == [1, 2]


def test_a_disk_that_hangs_keeps_nobody_waiting_and_what_comes_meanwhile_is_one_event() -> None:
    at_it, disk = threading.Event(), threading.Event()
    log = Log()

    def slow(told: Told) -> bool:
        at_it.set()
        assert disk.wait(30)
        return log(told)

    with teller(slow) as told:
        told.put(one(1))
        assert at_it.wait(30)
        for number in range(2, 5000):
            told.put(one(number))
        assert log.told == []
        disk.set()
    assert [(each.number, each.emptying.coalesced) for each in log.told] == [(1, 1), (4999, 4998)]


def test_what_is_held_is_in_the_draft_before_its_time_has_come() -> None:
    log = Log()
    drafts: list[Told] = []
    third = threading.Event()

    def draft(told: Told) -> bool:
        drafts.append(told)
        if told.number == 3:
            third.set()
        return True

    with teller(log, apart_seconds=600, draft=draft) as told:
        told.put(one(1))
        assert log.first.wait(30)
        told.put(one(2))
        told.put(one(3))
        assert third.wait(30)
        assert [each.number for each in log.told] == [1]
        assert (drafts[-1].number, drafts[-1].emptying.coalesced) == (3, 2)
        assert drafts[0].number == 1


def test_kept_is_what_the_draft_or_the_disk_has_taken() -> None:
    kept: list[int] = []
    with teller(lambda _: False, draft=lambda told: told.number != 2, kept=kept.append) as told:
        told.put(one(1))
    assert kept == [1]
    with teller(lambda told: told.number == 2, draft=lambda _: False, kept=kept.append) as told:
        told.put(one(2))
    with teller(lambda _: False, draft=lambda _: False, kept=kept.append) as told:
        told.put(one(3))
    assert kept == [1, 2]


def test_one_that_can_not_be_told_does_not_keep_the_next(caplog: pytest.LogCaptureFixture) -> None:
    log = Log()
    failed = threading.Event()

    def broken(told: Told) -> bool:
        if told.number == 1:
            failed.set()
            raise ValueError("no room")
        return log(told)

    with teller(broken) as told:
        told.put(one(1))
        assert failed.wait(30)
        told.put(one(2))
    assert [each.number for each in log.told] == [2]
    assert caplog.messages == ["an emptying could not be told"]
