"""The connection of one session, and an end for every exchange on it: requests' own time-outs are for one recv each."""

from __future__ import annotations

import queue
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

Address = tuple[Any, ...]


class Wire:
    """`with wire.exchange(seconds):` whatever the other side does in it, it is over then. For one connection at a time.

    Who ends an exchange may come late, when the next one is under way already: each has a number.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._resolved: queue.SimpleQueue[list[Address] | OSError | None] = queue.SimpleQueue()
        self._timer: threading.Timer | None = None
        self._end = 0.0
        self._number = 0
        self._gives_way = False
        self.is_cut = False

    def exchange(self, seconds: float, *, gives_way: bool = False) -> Self:
        """Arm it for one exchange; `gives_way`: `cut` may end it."""
        with self._lock:
            self.is_cut = False
            self._gives_way = gives_way
            self._end = time.monotonic() + seconds
            self._timer = threading.Timer(seconds, self._time_is_over, (self._number,))
            self._timer.daemon = True
        self._timer.start()
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._number += 1
            self._gives_way = False
        if self._timer is not None:
            self._timer.cancel()

    def cut(self) -> None:
        """End the exchange that is under way, if it is one that gives way; from any thread."""
        with self._lock:
            if self._gives_way:
                self._cut()

    def close(self) -> None:
        """Forget the connection: its session has closed it."""
        with self._lock:
            self._forget()

    def connect(self, host: str, port: int, options: Any) -> socket.socket:
        """A connection within the exchange, to the first address that answers. Raises OSError."""
        error: OSError = OSError(f"no address for {host}")
        addresses = self._addresses(host, port)
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = None
            try:
                sock = socket.socket(family, kind, protocol)
                for option in options or ():
                    sock.setsockopt(*option)
                sock.settimeout(
                    self._left() / (len(addresses) - tried)
                )  # one that drops packets leaves time for others
                self._watch(sock)
                sock.connect(address)
                sock.settimeout(self._left())
            except OSError as exc:
                error = exc
                if sock is not None:
                    sock.close()
                continue
            return sock
        raise error

    def _time_is_over(self, number: int) -> None:
        with self._lock:
            if number == self._number:
                self._cut()

    def _cut(self) -> None:
        self.is_cut = True
        self._resolved.put(None)
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _left(self) -> float:
        left = self._end - time.monotonic()
        if self.is_cut or left <= 0:
            raise TimeoutError("the attempt is over")
        return left

    def _watch(self, sock: socket.socket) -> None:
        """A duplicate, since TLS takes the descriptor of a socket away from it.

        That of the connection before would keep it open: the session has closed it, else it would ask for no other.
        """
        with self._lock:
            self._forget()
            self._socket = sock.dup()

    def _addresses(self, host: str, port: int) -> list[Address]:
        """What the name resolves to. The resolver can't be cut off, so it is left behind when it takes too long."""
        with suppress(socket.gaierror):
            return list(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST))
        answers = self._resolved = queue.SimpleQueue()
        left = self._left()

        def resolve() -> None:
            try:
                answers.put(list(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)))
            except (OSError, UnicodeError) as exc:
                answers.put(exc if isinstance(exc, OSError) else socket.gaierror(str(exc)))

        threading.Thread(target=resolve, name="resolve", daemon=True).start()
        try:
            found = answers.get(timeout=left)
        except queue.Empty:
            found = None
        if found is None:
            raise TimeoutError(f"{host} did not resolve in time")
        if isinstance(found, OSError):
            raise found
        return found
