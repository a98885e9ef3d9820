"""A request's body within its limits: its size on the wire, its size unpacked, and the time it may take."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import Receive

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
MAX_BODIES_BYTES: Final = 32 * 1024 * 1024
BODY_TIMEOUT_SECONDS: Final = 30.0

_DESCRIBING: Final = (b"content-type", b"content-encoding", b"content-length")
_GZIP: Final = 16 + zlib.MAX_WBITS


class Room:
    """What all bodies under way may take together, and their events until they are stored. For one event loop."""

    def __init__(self, limit_bytes: int = MAX_BODIES_BYTES) -> None:
        self.left = limit_bytes

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Gives a function that takes so many bytes more, or gives some back; the rest is when this is left."""
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            if count > self.left:
                raise HTTPException(503, "too much is being received at once: try again", {"Retry-After": "1"})
            self.left -= count
            taken += count

        try:
            yield take
        finally:
            self.left += taken


async def read_json_body(
    headers: Iterable[tuple[bytes, bytes]],
    receive: Receive,
    *,
    limit_bytes: int = MAX_BODY_BYTES,
    timeout_seconds: float = BODY_TIMEOUT_SECONDS,
    take: Callable[[int], None] = lambda _: None,
) -> bytes:
    """The unpacked body of a request that declares JSON; `take` hears of each piece's size before the next is read.

    Raises HTTPException: 415 for another type or encoding, 413 beyond the limit (as soon as it is passed,
    packed or unpacked), 408 when it takes too long, 400 for what is not gzip.
    """
    given = _values(headers)
    media_type = given.get(b"content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(
            415,
            f"content type {media_type[:60] or 'missing'!r} is not taken here, only application/json: "
            "set the sender's encoding to OTLP/HTTP JSON",
        )
    encoding = given.get(b"content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity", ""):
        raise HTTPException(
            415, f"content encoding {encoding[:60]!r} is not taken here, only gzip", {"Accept-Encoding": "gzip"}
        )
    declared = given.get(b"content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > limit_bytes:
        raise _too_large(limit_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _unpacked(receive, _Gunzip(limit_bytes) if encoding == "gzip" else None, limit_bytes, take)
    except TimeoutError as exc:
        raise HTTPException(
            408, f"the body took more than {timeout_seconds:g} seconds", {"Connection": "close"}
        ) from exc


def _values(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, str]:
    """Those that say what a body is; the first of a name counts."""
    given: dict[bytes, str] = {}
    for name, value in headers:
        if name in _DESCRIBING:
            given.setdefault(name, value.decode("latin-1"))
    return given


async def _unpacked(receive: Receive, gunzip: _Gunzip | None, limit_bytes: int, take: Callable[[int], None]) -> bytes:
    body = bytearray()
    received, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(400, "the sender went away in the middle of the body")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        received += len(chunk)
        piece = chunk if gunzip is None else gunzip.feed(chunk)
        take(len(piece))
        body += piece
        if received > limit_bytes or len(body) > limit_bytes:
            raise _too_large(limit_bytes)
    if gunzip is not None and not gunzip.finished:
        raise HTTPException(400, "the body is cut off: its gzip stream has no end")
    return bytes(body)


class _Gunzip:
    """Unpacks a gzip stream of one or more members, never more than one byte beyond the limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._room = limit_bytes + 1
        self._member = zlib.decompressobj(_GZIP)
        self.finished = False

    def feed(self, chunk: bytes) -> bytes:
        unpacked = bytearray()
        while chunk and self._room:
            if self.finished:
                self._member = zlib.decompressobj(_GZIP)
            try:
                piece = self._member.decompress(chunk, self._room)
            except zlib.error as exc:
                raise HTTPException(400, f"the body is not gzip: {exc}") from exc
            self._room -= len(piece)
            unpacked += piece
            self.finished = self._member.eof
            chunk = self._member.unused_data
        return bytes(unpacked)


def _too_large(limit_bytes: int) -> HTTPException:
    return HTTPException(413, f"the body is over {limit_bytes} bytes, packed or unpacked: send fewer records at a time")
