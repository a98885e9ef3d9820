"""What comes over sockets: gzip never unpacks past its limit, and a line is an object or a typed error."""

from __future__ import annotations

import gzip
import socket
import time
from contextlib import suppress

import frames
from starlette.exceptions import HTTPException
from target import Target

from kmsg_exporter.collector.body import _Gunzip
from kmsg_exporter.collector.store import _cursor_values
from kmsg_exporter.errors import DecodeError
from kmsg_exporter.local.line import receive

_LIMIT = 4096


def one(data: bytes) -> None:
    pieces = frames.split(data)
    gunzip, unpacked = _Gunzip(_LIMIT), 0
    with suppress(HTTPException):
        for piece in pieces:
            unpacked += len(gunzip.feed(piece))
            assert unpacked <= _LIMIT + 1
    with suppress(ValueError):
        assert all(0 <= value < 1 << 63 for value in _cursor_values(data.decode("latin-1")))
    with suppress(DecodeError):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(b"".join(pieces))
            theirs.shutdown(socket.SHUT_WR)
            assert isinstance(receive(ours, time.monotonic() + 60, _LIMIT), dict)


_PACKED = gzip.compress(bytes(9000), mtime=0)

TARGET = Target(
    one,
    seeds=(
        frames.join((_PACKED[:5], _PACKED[5:])),
        frames.join((gzip.compress(b"a", mtime=0), gzip.compress(b"b", mtime=0), b"x")),
        frames.join((b'{"why": ', b"null}\n")),
    ),
    words=(b"\x1f\x8b\x08", b'{"', b"NaN", b"\n", b"1767323045000000000-7"),
    mutate=frames.mutator(frames.changed),
)
