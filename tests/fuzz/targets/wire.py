"""What comes over sockets: gzip never unpacks past its limit, and the local socket answers any line."""

from __future__ import annotations

import gzip
import json
import logging
import socket
from contextlib import suppress
from pathlib import Path

import frames
from starlette.exceptions import HTTPException
from target import Target

from kmsg_exporter.collector.body import _Gunzip
from kmsg_exporter.collector.reading import _cursor_values
from kmsg_exporter.errors import DecodeError
from kmsg_exporter.local.server import LocalServer

_LIMIT = 4096
logging.disable()


def one(data: bytes) -> None:
    pieces = frames.split(data)
    gunzip, unpacked = _Gunzip(_LIMIT), 0
    with suppress(HTTPException):
        for piece in pieces:
            unpacked += len(gunzip.feed(piece))
            assert unpacked <= _LIMIT + 1
    with suppress(DecodeError):
        assert all(0 <= value < 1 << 63 for value in _cursor_values(data.decode("latin-1")))
    server = LocalServer(Path("/nowhere"), {"echo": dict, "number": lambda asked: int(asked["n"])}, client_seconds=60)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"".join(pieces))
        theirs.shutdown(socket.SHUT_WR)
        server._serve_one(ours)
        answer = theirs.recv(65536)
    assert answer.count(b"\n") == 1
    assert len(json.loads(answer).keys() & {"ok", "error"}) == 1


_PACKED = gzip.compress(bytes(9000), mtime=0)

TARGET = Target(
    one,
    seeds=(
        frames.join((_PACKED[:5], _PACKED[5:])),
        frames.join((gzip.compress(b"a", mtime=0), gzip.compress(b"b", mtime=0), b"x")),
        frames.join((b'{"get": ', b'"echo", "n": null}\n')),
        frames.join((b'{"get": "number", "n": "7"}',)),
    ),
    words=(b"\x1f\x8b\x08", b'{"', b"NaN", b"\n", b"1767323045000000000-7"),
    mutate=frames.mutator(frames.changed),
)
