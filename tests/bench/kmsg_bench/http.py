"""GET over one kept-alive connection, with as little of our own in between as can be."""

from __future__ import annotations

import re
import socket
from types import TracebackType
from typing import Self

_TIMEOUT_SECONDS = 5.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class KeepAlive:
    """One connection to 127.0.0.1:`port`, opened at once. Raises OSError."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body. Raises OSError, ConnectionError when the other side hangs up."""
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._received()
        found = _LENGTH.search(answer, 0, end)
        length = end + 4 + (int(found[1]) if found else 0)
        while len(answer) < length:
            answer += self._received()
        return int(answer.split(b" ", 2)[1]), answer[end + 4 : length]

    def _received(self) -> bytes:
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the connection was closed")
        return data
