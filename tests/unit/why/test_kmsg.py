"""The ring in one go: what is hidden, what is visible, what was overwritten, while others print and clear."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from fake_kmsg import FakeKmsg
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.errors import DecodeError, RingUnavailable
from kmsg_exporter.why.kmsg import Record, Ring, parse, read_ring

DEVICE = Path("/dev/kmsg")


class Log(FakeKmsg):
    """A kernel log in which something happens at some read."""

    def __init__(self, capacity: int, happens: Mapping[int, Callable[[Log], object]] | None = None) -> None:
        super().__init__(capacity)
        self.happens = happens or {}
        self.reads = 0

    def read(self, fd: int, size: int) -> bytes:
        self.reads += 1
        if self.reads in self.happens:
            self.happens[self.reads](self)
        return super().read(fd, size)


def look(monkeypatch: pytest.MonkeyPatch, log: FakeKmsg) -> Ring:
    with monkeypatch.context() as patch:
        for name in ("stat", "open", "close", "lseek", "read"):
            patch.setattr(os, name, getattr(log, name))
        return read_ring(DEVICE)


def numbers(records: tuple[Record, ...]) -> list[int | None]:
    return [record.seq for record in records]


def printed(log: FakeKmsg, count: int) -> None:
    for _ in range(count):
        log.print()


def test_what_a_clear_hides_is_told_from_what_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    log = FakeKmsg(100)
    printed(log, 3)
    log.clear()
    printed(log, 2)
    ring = look(monkeypatch, log)
    assert (numbers(ring.hidden), numbers(ring.visible)) == ([0, 1, 2], [3, 4])
    assert (ring.visible_from, ring.oldest, ring.torn) == (3, 0, 0)
    assert log.open_descriptors() == 0


def test_without_a_clear_nothing_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    log = FakeKmsg(100)
    printed(log, 3)
    ring = look(monkeypatch, log)
    assert (numbers(ring.hidden), numbers(ring.visible)) == ([], [0, 1, 2])


def test_with_everything_hidden_dmesg_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log = FakeKmsg(100)
    printed(log, 3)
    log.clear()
    ring = look(monkeypatch, log)
    assert (numbers(ring.hidden), numbers(ring.visible), ring.visible_from) == ([0, 1, 2], [], 3)


def test_an_empty_ring_has_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    assert look(monkeypatch, FakeKmsg(100)) == Ring((), 0, 0)


def test_what_was_overwritten_is_counted_and_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    log = FakeKmsg(4)
    printed(log, 6)
    log.clear()
    printed(log, 1)
    ring = look(monkeypatch, log)
    assert (numbers(ring.hidden), ring.oldest, ring.visible_from) == ([3, 4, 5], 3, 6)
    printed(log, 10)
    ring = look(monkeypatch, log)
    assert (numbers(ring.hidden), ring.oldest, ring.visible_from) == ([], 13, 13)


def test_what_is_printed_meanwhile_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(100, dict.fromkeys(range(1, 40), FakeKmsg.print))
    printed(log, 3)
    log.clear()
    ring = look(monkeypatch, log)
    assert numbers(ring.hidden) == [0, 1, 2]
    assert numbers(ring.visible)[0] == 3


def test_what_is_overwritten_meanwhile_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    log = FakeKmsg(8)
    printed(log, 8)
    log.clear()
    reads_of_the_look = Log(8)
    printed(reads_of_the_look, 8)
    reads_of_the_look.clear()
    look(monkeypatch, reads_of_the_look)
    middle = reads_of_the_look.reads - 5
    storm = Log(8, {middle: lambda log: printed(log, 6)})
    printed(storm, 8)
    storm.clear()
    ring = look(monkeypatch, storm)
    assert ring.torn > 0
    assert len(ring.records) + ring.torn == storm.next_seq
    assert numbers(ring.records) == sorted(number for number in numbers(ring.records) if number is not None)


def test_a_device_that_can_not_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(RingUnavailable, match="kmsg: there is no such device here"):
        read_ring(tmp_path / "kmsg")


def test_a_record_is_as_it_was_printed() -> None:
    raw = b"30,17,1500000,-,caller=T42;a\\x09\\xc3\\xa9\\x5cx41\\x0aend\n SUBSYSTEM=usb\n"
    assert parse(raw) == Record("a\té\\x41\nend".encode(), 1_500_000, 30, 17, b"T42")
    assert (parse(raw).level, parse(raw).facility) == (6, 3)


@given(st.binary())
def test_any_bytes_are_a_record_or_a_decode_error(raw: bytes) -> None:
    with suppress(DecodeError):
        assert parse(raw).seq is not None
