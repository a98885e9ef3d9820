"""The collector as a running server: in a thread beside an agent, or alone until a signal."""

from __future__ import annotations

import asyncio
import errno
import gc
import ipaddress
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import uvicorn
from starlette.types import ASGIApp

from kmsg_exporter import heap
from kmsg_exporter.collector.app import Parts
from kmsg_exporter.collector.connections import Crowd, Door, connections_allowed
from kmsg_exporter.collector.counts import Counts
from kmsg_exporter.collector.entrance import OneToken
from kmsg_exporter.collector.figures import Figures
from kmsg_exporter.collector.protocol import MAX_HEAD_BYTES, Connection, protocol
from kmsg_exporter.collector.retention import Keep
from kmsg_exporter.collector.schema import STORE_NAME
from kmsg_exporter.collector.silence import SILENT_AFTER_SECONDS, Silence
from kmsg_exporter.collector.store import Store
from kmsg_exporter.errors import CollectorError, ConfigError
from kmsg_exporter.webconfig import Guard

BACKLOG: Final = 1024
KEEP_ALIVE_SECONDS: Final = 75
# What a request that is under way when the server stops has left to finish in.
STOP_GRACE_SECONDS: Final = 0.3
STOP_TIMEOUT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How a collector is run, beside where.

    `page_address` is a host and port for what people and Prometheus read, which is then there alone. `inside` opens
    one more address, on loopback, for this process' own agent: see `inside_url`.
    """

    guard: Guard | None = None
    allow_anonymous: bool = False
    page_address: tuple[str, int] | None = None
    keep: Keep = field(default_factory=Keep)
    silent_after_seconds: float = SILENT_AFTER_SECONDS
    access_log: bool = False
    revision: str = "unknown"
    inside: bool = False


class CollectorServer:
    """Listens on `host`:`port` and keeps its events in `data_dir`. Port 0 lets the kernel choose: see `port`.

    The host "" is every interface. `inside_url` and `inside_token` are for the agent in this process, if asked for.
    """

    def __init__(self, host: str, port: int, data_dir: Path, settings: Settings = Settings()) -> None:
        self.host = host
        self.port = port
        self.data_dir = data_dir
        self.page_address = settings.page_address
        self.inside_url: str | None = None
        self.inside_token = secrets.token_urlsafe(32)
        self._settings = settings
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where its page is; events go to `/v1/logs` below it unless the page has an address of its own."""
        guard = self._settings.guard
        scheme = "https" if guard is not None and guard.context() is not None else "http"
        host, port = self.page_address or (self.host, self.port)
        return f"{scheme}://{_address(host if host not in ('', '0.0.0.0', '::') else 'localhost', port)}/"

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Return once requests are answered.

        Raises ConfigError when an address would be open to anybody, CollectorError when one can't be had or the store
        can't be opened (StoreTooNew for one that a newer program wrote).
        """
        settings = self._settings
        heap.return_large()
        with ExitStack() as stack:
            listener = stack.enter_context(self._listen(self.host, self.port))
            self.port = listener.getsockname()[1]
            page_listener = None
            if self.page_address is not None:
                page_listener = stack.enter_context(self._listen(*self.page_address))
                self.page_address = self.page_address[0], page_listener.getsockname()[1]
            inside = stack.enter_context(_listen("127.0.0.1", 0)) if settings.inside else None
            store = stack.enter_context(Store(self.data_dir / STORE_NAME, keep=settings.keep))
            self._server = _Server(*self._doors(store, listener, page_listener, inside))
            self._thread = threading.Thread(
                target=_run, args=(self._server, stack.pop_all()), name="collector", daemon=True
            )
            self._thread.start()
        self._server.settled.wait()
        if not self._server.started:
            self.stop()
            raise CollectorError(f"the collector could not start on {_address(self.host, self.port)}: see its log")

    def _doors(
        self, store: Store, listener: socket.socket, page: socket.socket | None, inside: socket.socket | None
    ) -> tuple[Crowd, list[Door]]:
        settings, counts = self._settings, Counts()
        silence = Silence(settings.silent_after_seconds, store.opened_unix_ns)
        figures = Figures(
            store,
            counts,
            silence=silence,
            max_bytes=settings.keep.max_bytes,
            revision=settings.revision,
        )
        parts = Parts(
            store,
            figures,
            counts,
            silence,
            page="../" if page is None else self.url,
            log=settings.access_log,
        )
        guard = settings.guard
        tls = guard is not None and guard.context() is not None
        crowd, http = Crowd(counts, most=connections_allowed(tls=tls), tls=tls), protocol()

        def door(sock: socket.socket, app: ASGIApp, guard: Guard | None = None) -> Door:
            context = guard.context if guard is not None else lambda: None
            return Door(sock, _uvicorn_config(app, http), crowd, protocol=http, context=context)

        doors = [door(listener, parts.app(site=page is None, guard=guard), guard)]
        if page is not None:
            doors.append(door(page, parts.app(intake=False, guard=guard), guard))
        if inside is not None:
            app = parts.app(site=False, guard=OneToken(self.inside_token))
            doors.append(door(inside, app))
            self.inside_url = f"http://{_address(*inside.getsockname())}/"
        return crowd, doors

    def _listen(self, host: str, port: int) -> socket.socket:
        settings, listener = self._settings, _listen(host, port)
        closed = settings.guard is not None and settings.guard.closed
        if closed or settings.allow_anonymous or _is_loopback(listener.getsockname()[0]):
            return listener
        listener.close()
        raise ConfigError(
            f"the collector would answer anybody who reaches {_address(host, port)}: name a file with client "
            "certificates, passwords or tokens by --collector.web-config-file, listen on 127.0.0.1, or say "
            "--collector.allow-anonymous"
        )

    def stop(self, timeout_seconds: float = STOP_TIMEOUT_SECONDS) -> None:
        """Answer what is under way (or 503, so that it is sent again), commit it, close. Does nothing when stopped."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            raise CollectorError(f"the collector did not stop within {timeout_seconds:g} seconds")
        self._server = self._thread = None


def serve_until_signal(server: CollectorServer, *, on_started: Callable[[], None] = lambda: None) -> None:
    """Run until SIGINT or SIGTERM. To be called from the main thread of a process that does nothing else."""
    signals = {signal.SIGINT, signal.SIGTERM}
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # the server's threads inherit the mask
    try:
        with server:
            on_started()
            while signal.sigtimedwait(signals, 1.0) is None:
                if not server.running:
                    raise CollectorError("the collector stopped by itself: see its log")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


class _Server(uvicorn.Server):
    """uvicorn with doors of ours; it says when it has settled, and cuts off what is under way when it stops."""

    def __init__(self, crowd: Crowd, doors: list[Door]) -> None:
        super().__init__(doors[0].config)
        self.settled = threading.Event()
        self._crowd = crowd
        self._doors = doors
        self._accepting: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        loop = asyncio.get_running_loop()
        self._accepting = [loop.create_task(door.accept_all(self.server_state)) for door in self._doors]
        self.settled.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for accepting in self._accepting:
            accepting.cancel()
        await asyncio.wait(self._accepting)
        for door in self._doors:
            door.close()
        self._crowd.dismiss()
        if self.server_state.tasks:
            _, unfinished = await asyncio.wait(self.server_state.tasks, timeout=STOP_GRACE_SECONDS)
            for task in unfinished:
                task.cancel()
        await super().shutdown(sockets=sockets)


def _run(server: _Server, resources: ExitStack) -> None:
    gc.freeze()  # what is here now stays: a collection is short then
    with resources:
        try:
            server.run(sockets=[])
        finally:
            server.settled.set()


def _uvicorn_config(app: ASGIApp, http: type[Connection]) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        loop="auto",  # uvloop where it is installed
        http=http,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    config.load()
    return config


def _listen(host: str, port: int) -> socket.socket:
    try:
        if not host and socket.has_dualstack_ipv6():
            listener = socket.create_server(("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as exc:
        # create_server adds the address to the reason in words of its own; a name that does not resolve has no errno
        reason = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
        in_use = exc.errno == errno.EADDRINUSE
        remedy = ": another collector may have it, stop that one or choose another address" if in_use else ""
        raise CollectorError(f"the collector can't listen on {_address(host, port)}: {reason}{remedy}") from exc
    # Accepted sockets inherit it. asyncio sets it only where a socket was made with a protocol number; without it the
    # second half of an answer on a kept connection waits 40 ms for the client's delayed ACK.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
