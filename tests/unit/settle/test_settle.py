"""Which of several clears emptied the log: also of those that an earlier life left behind."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kmsg_exporter.model import Access, RingState
from kmsg_exporter.ring.look import Look
from kmsg_exporter.settle import Settler

STARTED = 1000


def clear(time_ns: int) -> Access:
    return Access(time_ns, 42, b"dmesg", "syslog", "call", "clear", 0)


def emptied(calls: Sequence[int], prints: Sequence[int], *, hid: int | None) -> list[int]:
    """The times of those clears that are told to have hidden something, in an agent's first round."""
    look = (
        Look(RingState(empty=True), jumped=True) if hid is None else Look(RingState(empty=True), True, 100, 100 + hid)
    )
    settlement = Settler(started_ns=STARTED).settle(
        [clear(when) for when in calls],
        look if hid != 0 else Look(RingState(empty=True), jumped=False),
        printed=lambda after, until: sum(after < when <= until for when in prints),
        clear_pending=False,
    )
    return [call.time_ns for call in settlement.emptied]


@pytest.mark.parametrize(
    ("prints", "hid", "expected"),
    [
        ([5, 15, 25], 3, [10, 20, 30]),
        ([15, 25], 2, [20, 30]),
        ([5, 15], 2, [10, 20]),
        ([5, 6, 7], 3, [10]),
        ([], 0, []),
        ([], 7, [10]),  # printed records are not recorded here
    ],
)
def test_clears_of_an_earlier_life_hid_what_was_printed_before_each(
    prints: list[int], hid: int, expected: list[int]
) -> None:
    assert emptied([10, 20, 30], prints, hid=hid) == expected


def test_records_that_an_even_earlier_clear_hid_are_not_hidden_again() -> None:
    assert emptied([10, 20], [1, 2, 3, 15], hid=1) == [20]


def test_without_numbers_a_jump_is_put_down_to_the_clears_that_something_was_printed_before() -> None:
    assert emptied([10, 20], [5, 15], hid=None) == [20]
    assert emptied([10, 20], [], hid=None) == [10]


def test_clears_of_this_life_hid_what_was_printed_since_it_began() -> None:
    assert emptied([1010, 1020, 1030], [1005, 1025], hid=2) == [1010, 1030]


def settled(settler: Settler, calls: Sequence[int], *, jumped: bool, clear_pending: bool = False) -> tuple[int, bool]:
    """(how many clears emptied the log, whether nobody explains it)"""
    look = Look(RingState(empty=True), True, 100, 101) if jumped else Look(RingState(empty=True), jumped=False)
    settlement = settler.settle(
        [clear(when) for when in calls], look, printed=lambda _after, _until: 0, clear_pending=clear_pending
    )
    return len(settlement.emptied), settlement.unattributed


def test_a_recorded_clear_is_not_blamed_for_what_an_earlier_life_may_have_seen_another_do() -> None:
    """One that hid something was read by an agent that was killed at once; the next one hid nothing."""
    assert settled(Settler(started_ns=STARTED), [10], jumped=True) == (1, False)
    assert settled(Settler(started_ns=STARTED, doubtful=True), [10], jumped=True) == (0, True)


def test_after_the_first_jump_is_told_nothing_is_doubtful_any_more() -> None:
    settler = Settler(started_ns=STARTED, doubtful=True)
    assert settled(settler, [10], jumped=True) == (0, True)
    assert settled(settler, [1010], jumped=True) == (1, False)


def test_where_nothing_was_hidden_meanwhile_there_is_no_doubt() -> None:
    settler = Settler(started_ns=STARTED, doubtful=True)
    assert settled(settler, [10], jumped=False) == (0, False)
    assert settled(settler, [1010], jumped=True) == (1, False)


def test_a_doubt_waits_with_the_jump_for_a_clear_that_has_not_returned() -> None:
    settler = Settler(started_ns=STARTED, doubtful=True)
    assert settled(settler, [], jumped=True, clear_pending=True) == (0, False)
    assert settled(settler, [1010], jumped=False) == (0, True)
