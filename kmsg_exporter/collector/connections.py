"""Connections: accepted one by one, handshakes with an end, and the idlest closed when there are too many."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import socket
import ssl
from collections.abc import Callable
from typing import Final

from uvicorn import Config
from uvicorn.server import ServerState

from kmsg_exporter.collector.counts import Counts
from kmsg_exporter.collector.protocol import Connection

MAX_CONNECTIONS: Final = 2048
# with TLS, where each may take half a MiB: a buffer of 256 KiB, and what it was filled with at once
MAX_TLS_CONNECTIONS: Final = 256
# of answers that their clients have not taken yet, all together
MAX_UNTAKEN_BYTES: Final = 32 * 1024 * 1024
# connections with TLS: what was one is a cycle, and half a MiB until garbage is collected
_COLLECT_AFTER: Final = 8
# of the process' descriptors, for all that is no connection
_RESERVED_DESCRIPTORS: Final = 256
_WANTED_DESCRIPTORS: Final = 65536
HANDSHAKE_SECONDS: Final = 10.0
_NO_DESCRIPTOR_SECONDS: Final = 0.1

_log = logging.getLogger(__name__)


def connections_allowed(*, tls: bool = False) -> int:
    """How many connections this process can hold, with its limit on descriptors raised as far as it may."""
    most = MAX_TLS_CONNECTIONS if tls else MAX_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _WANTED_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    return min(most, max(soft - _RESERVED_DESCRIPTORS, soft // 2))


class Crowd:
    """All connections of a server, whichever door they came through."""

    def __init__(self, counts: Counts, *, most: int, tls: bool = False) -> None:
        self.counts = counts
        self._most = most
        self._tls = tls
        self._left = 0
        self._guests: dict[_Guest, None] = {}
        self._owed: dict[_Guest, int] = {}

    def enter(self, guest: _Guest) -> None:
        """Beyond the bound another one goes: the one that has waited longest without a request, or never had one."""
        if len(self._guests) >= self._most:
            self.evict()
        self._guests[guest] = None
        self.counts.connections = len(self._guests)

    def leave(self, guest: _Guest) -> None:
        self._owed.pop(guest, None)
        if guest in self._guests:
            del self._guests[guest]
            self._left += self._tls
            if self._left >= _COLLECT_AFTER:
                self._left = 0
                gc.collect()
        self.counts.connections = len(self._guests)

    def owe(self, guest: _Guest, answer_bytes: int) -> None:
        """An answer that its client has not taken yet, or none. Beyond the bound those go that have waited longest."""
        if not answer_bytes:
            self._owed.pop(guest, None)
        elif guest in self._guests:
            self._owed[guest] = answer_bytes
            while sum(self._owed.values()) > MAX_UNTAKEN_BYTES and len(self._owed) > 1:
                self._expel(next(iter(self._owed)))

    def dismiss(self) -> None:
        """Those that have not shaken hands yet; the server knows the others."""
        for guest in [guest for guest in self._guests if guest.connection is None]:
            guest.close("handshake")

    def evict(self) -> None:
        victim = min(self._guests, key=_Guest.rank, default=None)
        if victim is not None:
            self._expel(victim)

    def _expel(self, victim: _Guest) -> None:
        self.leave(victim)
        victim.close("evicted")


class _Guest:
    """One connection from its acceptance on: first maybe a handshake, then a protocol."""

    def __init__(self, crowd: Crowd, sock: socket.socket, now: float) -> None:
        self.counts = crowd.counts
        self._crowd = crowd
        self._sock = sock
        self._task: asyncio.Task[None] | None = None
        self.connection: Connection | None = None
        self.since = now

    def rank(self) -> tuple[bool, bool, float]:
        connection = self.connection
        if connection is None:
            return False, False, self.since
        return connection.busy, connection.answered, self.since

    def close(self, reason: str) -> None:
        self.counts.closed[reason] += 1
        if self.connection is not None:
            self.connection.transport.abort()
        elif self._task is not None:
            self._task.cancel()

    def leave(self) -> None:
        self._crowd.leave(self)

    def owe(self, answer_bytes: int) -> None:
        self._crowd.owe(self, answer_bytes)

    def welcome(self, make: Callable[[_Guest], Connection], context: ssl.SSLContext | None) -> None:
        self._task = asyncio.get_running_loop().create_task(self._shake_hands(make, context))
        self._task.add_done_callback(self._welcomed)

    def _welcomed(self, task: asyncio.Task[None]) -> None:
        if self.connection is None:
            self._sock.close()
            self.leave()
        if not task.cancelled() and (exc := task.exception()) is not None:
            self.counts.closed["handshake"] += 1
            _log.debug("no TLS with a client: %s", exc)

    async def _shake_hands(self, make: Callable[[_Guest], Connection], context: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        timeout = None if context is None else HANDSHAKE_SECONDS
        await loop.connect_accepted_socket(lambda: make(self), self._sock, ssl=context, ssl_handshake_timeout=timeout)


class Door:
    """One listening socket: where its connections' requests go, and which TLS they get.

    `context` is asked at each connection, so that a certificate that was rotated is shown to the next one.
    """

    def __init__(
        self,
        listener: socket.socket,
        config: Config,
        crowd: Crowd,
        *,
        protocol: type[Connection],
        context: Callable[[], ssl.SSLContext | None] = lambda: None,
    ) -> None:
        self._protocol = protocol
        self._listener = listener
        self.config = config
        self._crowd = crowd
        self._context = context

    async def accept_all(self, state: ServerState) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        self._listener.setblocking(False)

        def make(guest: _Guest) -> Connection:
            return self._protocol(guest, self.config, state)

        while True:
            try:
                sock, _ = await loop.sock_accept(self._listener)
            except ConnectionError:
                continue
            except OSError as exc:  # no descriptors left, as a rule
                _log.warning("cannot accept a connection: %s", exc)
                self._crowd.evict()
                await asyncio.sleep(_NO_DESCRIPTOR_SECONDS)
                continue
            try:
                context = self._context()
            except Exception:  # noqa: BLE001  the loop that must live: whatever it was, the next one is taken
                _log.exception("a connection could not be taken")
                sock.close()
                continue
            guest = _Guest(self._crowd, sock, loop.time())
            self._crowd.enter(guest)
            guest.welcome(make, context)

    def close(self) -> None:
        self._listener.close()
