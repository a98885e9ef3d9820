"""The collector as a running server: in a thread beside an agent, or alone until a signal."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import uvicorn

from kmsg_exporter.collector.app import create_app
from kmsg_exporter.collector.store import Store
from kmsg_exporter.errors import CollectorError

STORE_NAME: Final = "events.sqlite3"
MAX_CONNECTIONS: Final = 512
MAX_HEADER_BYTES: Final = 16 * 1024
KEEP_ALIVE_SECONDS: Final = 75
# What a request that is under way when the server stops has left to finish in.
STOP_GRACE_SECONDS: Final = 0.3
STOP_TIMEOUT_SECONDS: Final = 5.0


class CollectorServer:
    """Listens on `host`:`port` and keeps its events in `data_dir`. Port 0 lets the kernel choose: see `port`."""

    def __init__(self, host: str, port: int, data_dir: Path) -> None:
        self.host = host
        self.port = port
        self.data_dir = data_dir
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
        """Where its page is; events go to `/v1/logs` below it."""
        return f"http://{_address(self.host, self.port)}/"

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Return once requests are answered.

        Raises CollectorError when the address can't be had or the store can't be opened (StoreTooNew for one
        that a newer program wrote).
        """
        with ExitStack() as stack:
            listener = stack.enter_context(_listen(self.host, self.port))
            store = stack.enter_context(Store(self.data_dir / STORE_NAME))
            self.port = listener.getsockname()[1]
            self._server = _Server(_uvicorn_config(store))
            self._thread = threading.Thread(
                target=_run, args=(self._server, listener, stack.pop_all()), name="collector", daemon=True
            )
            self._thread.start()
        self._server.settled.wait()
        if not self._server.started:
            self.stop()
            raise CollectorError(f"the collector could not start on {_address(self.host, self.port)}: see its log")

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
    """uvicorn that says when it has settled, and that cuts off what is under way instead of waiting for it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.settled.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.server_state.tasks:
            _, unfinished = await asyncio.wait(self.server_state.tasks, timeout=STOP_GRACE_SECONDS)
            for task in unfinished:
                task.cancel()
        await super().shutdown(sockets=sockets)


def _run(server: _Server, listener: socket.socket, resources: ExitStack) -> None:
    with resources:
        try:
            server.run(sockets=[listener])
        finally:
            server.settled.set()


def _uvicorn_config(store: Store) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(store),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )


def _listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
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


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
