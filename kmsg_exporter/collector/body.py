"""A request's body within its limits: its size on the wire, its size unpacked, and the time it may take."""

from __future__ import annotations

import asyncio
import zlib
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
BODY_TIMEOUT_SECONDS: Final = 30.0

_GZIP: Final = 16 + zlib.MAX_WBITS


async def read_json_body(
    request: Request, *, limit_bytes: int = MAX_BODY_BYTES, timeout_seconds: float = BODY_TIMEOUT_SECONDS
) -> bytes:
    """The unpacked body of a request that declares JSON.

    Raises HTTPException: 415 for another type or encoding, 413 beyond the limit (as soon as it is passed,
    packed or unpacked), 408 when it takes too long, 400 for what is not gzip.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(
            415,
            f"content type {media_type[:60] or 'missing'!r} is not taken here, only application/json: "
            "set the sender's encoding to OTLP/HTTP JSON",
        )
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity", ""):
        raise HTTPException(
            415, f"content encoding {encoding[:60]!r} is not taken here, only gzip", {"Accept-Encoding": "gzip"}
        )
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared[:20]) > limit_bytes:
        raise _too_large(limit_bytes)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _unpacked(request, _Gunzip(limit_bytes) if encoding == "gzip" else None, limit_bytes)
    except TimeoutError as exc:
        raise HTTPException(
            408, f"the body took more than {timeout_seconds:g} seconds", {"Connection": "close"}
        ) from exc
    except ClientDisconnect as exc:
        raise HTTPException(400, "the sender went away in the middle of the body") from exc


async def _unpacked(request: Request, gunzip: _Gunzip | None, limit_bytes: int) -> bytes:
    body = bytearray()
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        body += chunk if gunzip is None else gunzip.feed(chunk)
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
