"""Looks through /dev/kmsg: a jump for each clear that hid something, and exactly what it hid."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from fake_kmsg import FakeKmsg
from hypothesis import example, given
from hypothesis import strategies as st

from kmsg_exporter.model import LogRecord, RingState
from kmsg_exporter.ring import device, devkmsg
from kmsg_exporter.ring.devkmsg import DevKmsg

CONSTANTS = {name: getattr(os, name) for name in ("O_RDONLY", "O_NONBLOCK", "O_CLOEXEC", "SEEK_SET", "SEEK_DATA")}


@contextmanager
def opened(log: FakeKmsg) -> Iterator[DevKmsg]:
    """The ring on a fake log: no test may clear the machine's own."""
    calls = SimpleNamespace(**CONSTANTS, stat=log.stat, open=log.open, read=log.read, lseek=log.lseek, close=log.close)
    with patch.object(devkmsg, "os", calls), patch.object(device, "os", calls):
        ring = DevKmsg(Path("/dev/kmsg"), buffer_bytes=131072)
        yield ring
        ring.close()
    assert log.open_descriptors() == 0


def printed(count: int, *, capacity: int = 100) -> FakeKmsg:
    log = FakeKmsg(capacity)
    for _ in range(count):
        log.print()
    return log


def numbers(records: tuple[LogRecord, ...]) -> list[int | None]:
    return [record.seq for record in records]


def test_first_look_tells_the_state_and_never_jumps() -> None:
    log = printed(10)
    log.clear()
    log.print()
    with opened(log) as ring:
        look = ring.look(count_records=True)
    assert not look.jumped
    assert look.visible_from == 10
    assert look.state == RingState(
        empty=False,
        hidden_records=10,
        records_total=11,
        overwritten_records_total=0,
        buffer_bytes=131072,
        used_bytes=11 * 16,
    )


def test_records_are_counted_only_when_asked_for() -> None:
    with opened(printed(10)) as ring:
        assert ring.look(count_records=False).state.records_total is None
        assert ring.look(count_records=True).state.records_total == 10


def test_clear_is_a_jump_over_what_it_hid() -> None:
    log = printed(10)
    with opened(log) as ring:
        ring.look(count_records=False)
        log.print()
        log.clear()
        look = ring.look(count_records=False)
        assert (look.jumped, look.first_seq, look.end_seq, look.visible_from) == (True, 0, 11, 11)
        assert (look.state.empty, look.state.hidden_records, look.state.records_total) == (True, 11, 11)
        assert numbers(ring.hidden(look)) == list(range(11))
        assert not ring.look(count_records=False).jumped


def test_clear_is_a_jump_though_the_log_is_full_again() -> None:
    log = printed(10)
    with opened(log) as ring:
        ring.look(count_records=False)
        log.clear()
        for _ in range(20):
            log.print()
        look = ring.look(count_records=False)
        assert (look.jumped, look.first_seq, look.end_seq) == (True, 0, 10)
        assert numbers(ring.hidden(look)) == list(range(10))


def test_clear_of_an_empty_log_is_no_jump() -> None:
    log = printed(10)
    log.clear()
    with opened(log) as ring:
        ring.look(count_records=False)
        log.clear()
        assert not ring.look(count_records=False).jumped
        log.print()
        assert not ring.look(count_records=False).jumped


def test_overwriting_is_no_jump() -> None:
    log = printed(10, capacity=10)
    with opened(log) as ring:
        ring.look(count_records=False)
        for _ in range(7):
            log.print()
        look = ring.look(count_records=True)
        assert not look.jumped
        assert (look.visible_from, look.state.overwritten_records_total, look.state.records_total) == (7, 7, 17)


def test_log_without_a_record_is_empty() -> None:
    with opened(FakeKmsg(10)) as ring:
        look = ring.look(count_records=True)
    assert look.state == RingState(
        empty=True,
        hidden_records=0,
        records_total=0,
        overwritten_records_total=0,
        buffer_bytes=131072,
        used_bytes=0,
    )


def test_a_clear_gives_nothing_back_and_a_ring_that_overwrites_is_full() -> None:
    log = printed(3, capacity=5)
    with opened(log) as ring:
        assert ring.look(count_records=True).state.used_bytes == 3 * 16
        log.clear()
        log.print()
        assert ring.look(count_records=False).state.used_bytes is None
        assert ring.look(count_records=True).state.used_bytes == 4 * 16
        for _ in range(2):
            log.print()
        assert ring.look(count_records=True).state.used_bytes == 131072


def test_clear_between_two_lives_of_the_agent_is_a_jump_at_the_first_look() -> None:
    log = printed(10)
    log.clear()
    with opened(log) as ring:
        ring.resume(4)
        look = ring.look(count_records=False)
        assert (look.jumped, look.first_seq, look.end_seq) == (True, 4, 10)
        assert numbers(ring.hidden(look)) == list(range(4, 10))


def test_look_without_a_jump_hid_nothing() -> None:
    with opened(printed(10)) as ring:
        assert ring.hidden(ring.look(count_records=False)) == ()


def test_hidden_records_are_whole() -> None:
    log = FakeKmsg(10)
    log.print(b"Out of memory\\x0a\n SUBSYSTEM=x")
    with opened(log) as ring:
        ring.look(count_records=False)
        log.clear()
        [record] = ring.hidden(ring.look(count_records=False))
    assert record == LogRecord("Out of memory\n", 0, 0, 6, 0)


OPERATION = st.one_of(
    st.tuples(st.just("print"), st.integers(1, 12)),
    st.tuples(st.just("clear"), st.just(0)),
    st.tuples(st.just("look"), st.integers(0, 3)),
)


@given(capacity=st.integers(1, 10), before=st.integers(0, 12), operations=st.lists(OPERATION, max_size=30))
@example(2, 1, [("clear", 0), ("print", 1), ("look", 2), ("print", 2), ("clear", 0), ("look", 2)])
def test_jump_is_told_for_each_clear_that_hid_something_and_still_shows(
    capacity: int, before: int, operations: list[tuple[str, int]]
) -> None:
    log = printed(before, capacity=capacity)
    with opened(log) as ring:
        ring.look(count_records=False)
        position = log.visible_from
        effective = False
        for operation, number in operations:
            if operation == "print":
                for _ in range(number):
                    log.print()
            elif operation == "clear":
                effective = log.clear() or effective
            else:
                look = ring.look(count_records=bool(number & 1))
                shows = effective and log.clear_seq > log.oldest
                assert look.jumped == shows
                assert (look.first_seq, look.end_seq) == ((position, log.clear_seq) if shows else (None, None))
                assert look.visible_from == log.visible_from
                assert look.state.empty == (log.visible_from == log.next_seq)
                assert look.state.hidden_records == log.visible_from - log.oldest
                assert look.state.overwritten_records_total == log.oldest
                assert look.state.records_total in (None, log.next_seq)
                if number & 2:
                    hidden = range(position, log.clear_seq) if shows else range(0)
                    found, still = numbers(ring.hidden(look)), [seq for seq, _ in log.records if seq in hidden]
                    # the first of them may have been read before it was overwritten
                    assert found in (still, [position, *still])
                    assert shows or not found
                position, effective = log.visible_from, False


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=20))
def test_totals_never_go_down(steps: list[tuple[int, bool]]) -> None:
    log = FakeKmsg(10)
    totals = []
    with opened(log) as ring:
        for count, clears in steps:
            for _ in range(count):
                log.print()
            if clears:
                log.clear()
            state = ring.look(count_records=True).state
            totals.append((state.records_total or 0, state.overwritten_records_total or 0))
    assert totals == sorted(totals)
    assert [records for records, _overwritten in totals] == sorted(records for records, _ in totals)


class Interrupting(FakeKmsg):
    """A log that others go on using while it is looked at."""

    def __init__(self, capacity: int, others: list[Callable[[FakeKmsg], object]]) -> None:
        super().__init__(capacity)
        self._others = others

    def read(self, fd: int, size: int) -> bytes:
        if self._others:
            self._others.pop()(self)
        return super().read(fd, size)


OTHERS = st.lists(st.sampled_from([FakeKmsg.print, FakeKmsg.clear, lambda _log: None]), max_size=40)


@given(capacity=st.integers(2, 10), others=OTHERS)
def test_look_while_others_print_and_clear_gives_sound_numbers(
    capacity: int, others: list[Callable[[FakeKmsg], object]]
) -> None:
    log = Interrupting(capacity, [])
    for _ in range(5):
        log.print()
    with opened(log) as ring:
        ring.look(count_records=True)
        log._others = list(others)
        for _ in range(6):
            look = ring.look(count_records=True)
            assert look.visible_from is not None
            assert look.visible_from <= log.next_seq
            assert look.state.hidden_records is not None
            assert look.state.hidden_records >= 0
            if look.jumped:
                assert look.first_seq is not None
                assert look.end_seq is not None
                assert look.first_seq < look.end_seq <= log.next_seq
                hidden = [seq or 0 for seq in numbers(ring.hidden(look))]
                assert hidden == sorted(set(hidden))
                assert all(look.first_seq <= seq < look.end_seq for seq in hidden)


@given(capacity=st.integers(1, 4), others=st.lists(st.sampled_from([FakeKmsg.print, lambda _log: None]), max_size=60))
def test_look_while_others_overwrite_the_ring_never_jumps(
    capacity: int, others: list[Callable[[FakeKmsg], object]]
) -> None:
    log = Interrupting(capacity, list(others))
    log.print()
    log.clear()
    with opened(log) as ring:
        assert not any(ring.look(count_records=True).jumped for _ in range(8))


def test_record_that_is_printed_while_an_empty_log_is_looked_at_is_not_hidden() -> None:
    log = Interrupting(10, [])
    log.print()
    log.clear()
    with opened(log) as ring:
        ring.look(count_records=True)
        log._others = [FakeKmsg.print, *[lambda _log: None] * 2]  # after the log was seen to be empty
        assert not ring.look(count_records=True).jumped
        assert not ring.look(count_records=True).jumped
        log.clear()
        assert ring.look(count_records=True).jumped
