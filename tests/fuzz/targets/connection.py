"""What a collector's connection is sent, in any pieces: answers in a row, a bounded number in waiting, and an end."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import suppress

import frames
from starlette.types import Receive, Scope, Send
from target import Target
from uvicorn import Config
from uvicorn.server import ServerState

from kmsg_exporter.collector.counts import Counts
from kmsg_exporter.collector.llhttp import MAX_HEADERS, MAX_PIPELINED, LlhttpConnection
from kmsg_exporter.collector.protocol import MAX_HEAD_BYTES, Connection

_ANSWER = re.compile(rb"HTTP/1\.1 (100|200|400) ")
_TURNS = 3  # of the loop, between two pieces: an answer takes its time
logging.disable()


class _Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading


class _Guest:
    def __init__(self, wire: _Wire) -> None:
        self.counts = Counts()
        self.connection: Connection | None = None
        self.since = 0.0
        self._wire = wire

    def close(self, reason: str) -> None:
        self.counts.closed[reason] += 1
        self._wire.close()

    def leave(self) -> None:
        pass

    def owe(self, answer_bytes: int) -> None:
        pass


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    assert len(scope["headers"]) <= MAX_HEADERS
    assert sum(map(len, scope["raw_path"].split())) <= MAX_HEAD_BYTES
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


_CONFIG = Config(_app, http=LlhttpConnection, ws="none", lifespan="off", log_config=None, access_log=False)
_CONFIG.load()
_LOOP = asyncio.new_event_loop()


async def _exchange(pieces: list[bytes]) -> bytes:
    wire, state = _Wire(), ServerState()
    connection = LlhttpConnection(_Guest(wire), _CONFIG, state)
    connection.connection_made(wire)
    for piece in pieces:
        if not wire.closed:
            connection.data_received(piece)
            assert len(connection.pipeline) <= MAX_PIPELINED
        for _ in range(_TURNS):
            await asyncio.sleep(0)
    connection.connection_lost(None)
    for task in list(state.tasks):
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return bytes(wire.sent)


def one(data: bytes) -> None:
    pieces = frames.split(data)
    sent = _LOOP.run_until_complete(_exchange(pieces))
    answers = _ANSWER.findall(sent)
    assert not sent or _ANSWER.match(sent)
    assert answers.count(b"400") <= 1
    assert answers.count(b"200") <= b"".join(pieces).count(b"HTTP/1.")


_CHUNKED = b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"

TARGET = Target(
    one,
    seeds=(
        frames.join((b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n" * 20,)),
        frames.join((_CHUNKED, b"2;x=y\r\n{}\r\n", b"0\r\nX: y\r\n\r\n")),
        frames.join((b"POST / HTTP/1.0\r\nContent-Len", b"gth: 3\r\n\r\nabc", b"garbage")),
        frames.join(
            (b"GET /?q=%2e HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", b"PRI * HTTP/2.0\r\n")
        ),
    ),
    words=(
        b"HTTP/1.1\r\n",
        b"\r\n\r\n",
        b"Host: a\r\n",
        b"Content-Length: 2\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
    ),
    mutate=frames.mutator(frames.changed),
    max_bytes=40_000,
)
