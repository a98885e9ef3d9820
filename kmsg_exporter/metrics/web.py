"""The web server: listens, gives each connection a thread, and makes room when there are too many."""

from __future__ import annotations

import contextlib
import itertools
import logging
import selectors
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kmsg_exporter.metrics.exposition import Exposition
from kmsg_exporter.metrics.handler import Connection, Handler, Timeouts
from kmsg_exporter.metrics.listen import open_listener
from kmsg_exporter.metrics.page import Node
from kmsg_exporter.metrics.scrapers import Scrapers
from kmsg_exporter.metrics.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from kmsg_exporter.metrics.totals import Totals
    from kmsg_exporter.model import Observation
    from kmsg_exporter.webconfig import Guard

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 128
_STOP_SECONDS: Final = 0.8
_EVICTED_SECONDS: Final = 0.1


class WebServer:
    """Serves `totals` and what `observe` returns, from `start` to `stop`; a context manager does both.

    `refresh` runs before each exposition and page, in the connection's thread; `node` says what only the page shows.
    At most `max_requests` expositions are made at once (0: no limit). Beyond `max_connections` the one that has gone
    longest without an answer, or never had one, is closed for the newcomer.
    """

    def __init__(
        self,
        listen_addresses: Sequence[tuple[str, int]],
        telemetry_path: str = "/metrics",
        *,
        totals: Totals,
        observe: Callable[[], Observation],
        version: str,
        revision: str = "unknown",
        node: Callable[[], Node] = Node,
        refresh: Callable[[], None] = lambda: None,
        max_requests: int = 40,
        max_connections: int = MAX_CONNECTIONS,
        timeouts: Timeouts = Timeouts(),  # noqa: B008  frozen
        proc: Path = Path("/proc"),
        guard: Guard | None = None,
    ) -> None:
        """The host "" is every interface, the port 0 any free one. Without a `guard` everybody is answered."""
        self._guard = guard
        self.addresses: tuple[tuple[str, int], ...] = ()
        self._listen_addresses = tuple(listen_addresses)
        self._max_connections = max_connections
        self._timeouts = timeouts
        self._software = f"kmsg_exporter/{version}"
        self._site = Site(
            Exposition(totals, version=version, revision=revision, proc=proc),
            Scrapers(),
            observe,
            node=node,
            refresh=refresh,
            version=version,
            telemetry_path=telemetry_path,
            max_requests=max_requests,
            guard=guard,
        )
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._connections: dict[int, Connection] = {}
        self._stopping = threading.Event()
        self._resources = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listens; `addresses` says where. Raises KmsgExporterError when an address can't be had."""
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(open_listener(*address)) for address in self._listen_addresses]
            selector = stack.enter_context(selectors.DefaultSelector())
            waking, waker = (stack.enter_context(end) for end in socket.socketpair())
            for listener in listeners:
                selector.register(listener, selectors.EVENT_READ, listener)
            selector.register(waking, selectors.EVENT_READ)
            self.addresses = tuple(listener.getsockname()[:2] for listener in listeners)
            acceptor = threading.Thread(target=self._accept_all, args=(selector,), name="web", daemon=True)
            acceptor.start()
            self._resources = stack.pop_all()
        self._resources.callback(self._shut_connections)
        self._resources.callback(acceptor.join)
        self._resources.callback(waker.send, b"\0")
        self._resources.callback(self._stopping.set)

    def stop(self) -> None:
        """Within a second: no listener, no connection, no thread is left. Harmless when nothing runs."""
        self._resources.close()

    def _shut_connections(self) -> None:
        with self._lock:
            connections = list(self._connections.values())
        for connection in connections:
            connection.shut()
        deadline = time.monotonic() + _STOP_SECONDS
        for connection in connections:
            connection.thread.join(max(0.0, deadline - time.monotonic()))

    def _accept_all(self, selector: selectors.BaseSelector) -> None:
        while not self._stopping.is_set():
            for key, _ in selector.select():
                if key.data is not None:
                    self._accept(key.data)

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, peer = listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as exc:
            log.warning("cannot accept a connection: %s", exc)  # no descriptors left, as a rule
            self._evict()
            self._stopping.wait(_EVICTED_SECONDS)
            return
        if len(self._connections) >= self._max_connections:
            self._evict()
        connection = Connection(next(self._numbers), sock, peer[0])
        connection.thread = threading.Thread(
            target=self._serve, args=(connection,), name=f"web-{connection.number}", daemon=True
        )
        with self._lock:
            self._connections[connection.number] = connection
        try:
            connection.thread.start()
        except RuntimeError as exc:
            log.warning("cannot serve a connection: %s", exc)
            self._forget(connection)
            sock.close()

    def _evict(self) -> None:
        with self._lock:
            victim = min(self._connections.values(), key=lambda known: (known.answered_at, known.number), default=None)
        if victim is not None:
            self._forget(victim)
            victim.shut()
            victim.thread.join(_EVICTED_SECONDS)

    def _serve(self, connection: Connection) -> None:
        try:
            context = self._guard.context() if self._guard is not None else None
            if context is not None:
                connection.secure(context, self._timeouts.request_seconds)
            Handler(connection, self._site, software=self._software, timeouts=self._timeouts)
        except OSError as exc:
            log.debug("no TLS with %s: %s", connection.address, exc)
        finally:
            self._site.closed(connection.number)
            connection.close()
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        self._site.closed(connection.number)
        with self._lock:
            self._connections.pop(connection.number, None)
