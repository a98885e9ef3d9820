"""One line of JSON over a socket, bounded in bytes and in time."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from typing import Any, Final

from kmsg_exporter.errors import DecodeError

REQUEST_BYTES: Final = 4096
ANSWER_BYTES: Final = 4 << 20


def receive(peer: socket.socket, deadline: float, limit: int) -> dict[str, Any]:
    """The object of the one line that the peer sends. Raises DecodeError, and OSError when it goes away or is slow."""
    from json import loads

    line = bytearray()
    while b"\n" not in line:
        peer.settimeout(_left(deadline))
        if not (chunk := peer.recv(65536)):
            break
        line += chunk
        if len(line) > limit:
            raise DecodeError(f"a line longer than {limit} bytes")
    try:
        value = loads(line)
    except (ValueError, RecursionError) as exc:
        raise DecodeError(f"not a line of JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise DecodeError("not a JSON object")
    return value


def send(peer: socket.socket, line: bytes, deadline: float) -> None:
    peer.settimeout(_left(deadline))
    peer.sendall(line)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def line_of(value: Mapping[str, Any]) -> bytes:
    from json import dumps

    return dumps(value, allow_nan=False).encode() + b"\n"
