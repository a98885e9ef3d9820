"""Looks through syslog(2): lines are compared, and nobody is accused by a guess."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.errors import RingUnavailable
from kmsg_exporter.model import LogRecord
from kmsg_exporter.ring.syslog import SyslogRing, klogctl

TAIL_BYTES = 65536


class Log:
    """What READ_ALL reads: the newest whole lines that fit. The ring holds `size` bytes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.lines: deque[bytes] = deque()
        self.visible = 0
        self._count = 0

    def print(self, text: bytes | None = None) -> None:
        self._count += 1
        line = b"<6>[%5d.%06d] %s\n" % (self._count, self._count, text or b"line %d" % self._count)
        self.lines.append(line)
        self.visible += 1
        while sum(map(len, self.lines)) > self.size:
            self.lines.popleft()
        self.visible = min(self.visible, len(self.lines))

    def clear(self) -> bool:
        hides, self.visible = self.visible > 0, 0
        return hides

    def read(self, size: int) -> bytes:
        lines: list[bytes] = []
        room = size
        for line in list(self.lines)[::-1][: self.visible]:
            room -= len(line)
            if room < 0:
                break
            lines.insert(0, line)
        return b"".join(lines)

    def ring(self) -> SyslogRing:
        return SyslogRing(read=self.read, size=self.size)


def jumps(ring: SyslogRing) -> bool:
    return ring.look(count_records=True).jumped


def test_clear_shows_as_the_newest_line_being_gone() -> None:
    log = Log(1 << 17)
    for _ in range(20):
        log.print()
    ring = log.ring()
    assert not jumps(ring)
    log.clear()
    look = ring.look(count_records=True)
    assert look.jumped
    assert (look.state.empty, look.state.buffer_bytes, look.state.hidden_records) == (True, 1 << 17, None)
    assert (look.first_seq, look.end_seq, look.visible_from) == (None, None, None)
    assert not jumps(ring)


def test_clear_shows_though_the_log_is_not_empty_any_more() -> None:
    log = Log(1 << 17)
    log.print()
    ring = log.ring()
    log.clear()
    log.print()
    assert jumps(ring)
    assert not jumps(ring)


def test_empty_log_that_is_cleared_does_not_jump() -> None:
    log = Log(1 << 17)
    ring = log.ring()
    log.clear()
    assert not jumps(ring)
    log.print()
    assert not jumps(ring)


def test_more_lines_than_one_look_takes_are_no_clear() -> None:
    log = Log(1 << 20)
    log.print()
    ring = log.ring()
    for _ in range(100):
        log.print(b"x" * 800)
    assert not jumps(ring)


def test_small_ring_that_is_overwritten_between_looks_is_no_clear() -> None:
    log = Log(4096)
    log.print()
    ring = log.ring()
    for _ in range(200):
        log.print()
    assert not jumps(ring)


def test_lines_of_the_start_are_given_out_once() -> None:
    log = Log(1 << 17)
    log.print(b"Out of memory")
    ring = log.ring()
    log.clear()
    look = ring.look(count_records=True)
    assert ring.hidden(look) == (LogRecord("Out of memory", None, 1000001, 6, 0),)
    assert ring.hidden(look) == ()


def test_first_read_takes_the_whole_ring() -> None:
    log = Log(1 << 18)
    for _ in range(300):
        log.print(b"x" * 800)
    ring = log.ring()
    assert len(ring.hidden(ring.look(count_records=True))) == len(log.lines) > TAIL_BYTES // 800


def test_there_is_nothing_to_resume_and_nothing_to_close() -> None:
    ring = Log(4096).ring()
    ring.resume(17)
    ring.close()


OPERATION = st.one_of(
    st.tuples(st.just("print"), st.integers(1, 60)), st.tuples(st.sampled_from(["clear", "look"]), st.just(0))
)


@given(size=st.sampled_from([1000, 4000, 1 << 17]), operations=st.lists(OPERATION, max_size=30))
def test_jump_is_told_for_clears_only_and_for_each_that_left_little_behind(
    size: int, operations: list[tuple[str, int]]
) -> None:
    log = Log(size)
    ring = log.ring()
    effective = False
    for operation, number in operations:
        if operation == "print":
            for _ in range(number):
                log.print()
        elif operation == "clear":
            effective = log.clear() or effective
        else:
            had_lines = ring._newest is not None
            jumped = jumps(ring)
            assert effective or not jumped
            if effective and had_lines and len(log.read(size)) < size // 2:
                assert jumped
            effective = False


def test_what_is_refused_is_not_named_like_a_section_of_the_manual() -> None:
    with pytest.raises(RingUnavailable, match=r"^syslog action 99: [A-Z][a-z ]+: it takes CAP_SYSLOG$"):
        klogctl(99)  # the kernel has no such action
