"""The log by /dev/kmsg and by syslog(2), where every read gives fuzzed records and the end comes at any moment."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import frames
from target import Target

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.ring import device, devkmsg
from kmsg_exporter.ring.devkmsg import DevKmsg
from kmsg_exporter.ring.look import Look, Ring
from kmsg_exporter.ring.syslog import SyslogRing

_LOOKS = 6


def one(data: bytes) -> None:
    pieces = frames.split(data)
    left = iter([piece or None for piece in pieces])  # an empty one is EAGAIN
    with (
        patch.object(device, "_KMSG_DEVICE", os.stat(os.devnull).st_rdev),  # noqa: PTH116
        patch.object(devkmsg, "_read", lambda _fd: next(left, None)),
        patch.object(os, "lseek", lambda _fd, _at, _whence: 0),
        suppress(DecodeError),
    ):
        _look_at(DevKmsg(Path(os.devnull), buffer_bytes=None), data)
    texts = iter(pieces)
    _look_at(SyslogRing(read=lambda size: next(texts, b"")[:size], size=65536), data)


def _look_at(ring: Ring, data: bytes) -> None:
    try:
        for number in range(_LOOKS):
            look = ring.look(count_records=bool(number % 2))
            _check(look)
            hidden = ring.hidden(look)
            assert sum(len(record.text) for record in hidden) <= len(data)
            if look.end_seq is not None:
                assert all(look.first_seq <= record.seq < look.end_seq for record in hidden)  # type: ignore[operator]
    finally:
        ring.close()


def _check(look: Look) -> None:
    state = look.state
    for number in (state.hidden_records, state.records_total, state.overwritten_records_total):
        assert number is None or number >= 0
    assert look.jumped or look.first_seq is look.end_seq is None
    assert look.end_seq is None or (look.first_seq is not None and look.first_seq < look.end_seq)


def _record(seq: int) -> bytes:
    return b"6,%d,%d,-;text %d\n" % (seq, seq * 1000, seq)


TARGET = Target(
    one,
    seeds=(
        frames.join((_record(3), _record(1), b"", _record(5), _record(1), _record(3), _record(4), _record(5))),
        frames.join((_record(3), _record(1), b"", b"", b"", _record(3), b"", b"", _record(9))),
        frames.join((b"<6>[    1.000000] a\n<3>[    2.000000] b\n", b"<3>[    2.000000] b\n", b"", b"x\n")),
    ),
    words=(b",-;", b"\n", b"6,7,8,-;"),
    mutate=frames.mutator(frames.changed),
)
