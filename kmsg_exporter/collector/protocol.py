"""One connection's HTTP: uvicorn's protocol with a time for each request's head, and for each answer to be taken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from uvicorn import Config
from uvicorn.server import ServerState

from kmsg_exporter.collector.counts import Counts

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as _Http
else:
    _Http = object  # whichever of uvicorn's stands behind it in a class

REQUEST_SECONDS: Final = 10.0
WRITE_SECONDS: Final = 30.0
MAX_HEAD_BYTES: Final = 16 * 1024
GUEST: Final = "guest"  # who has the connection, in each request's state


class Guest(Protocol):
    """Who has the connection."""

    counts: Counts
    connection: Connection | None
    since: float

    def close(self, reason: str) -> None: ...
    def leave(self) -> None: ...
    def owe(self, answer_bytes: int) -> None: ...


class Connection(_Http):
    """The bounds; to be put before one of uvicorn's protocols in a class."""

    def __init__(self, guest: Guest, config: Config, state: ServerState) -> None:
        super().__init__(config=config, server_state=state, app_state={GUEST: guest})
        self.guest = guest
        self.answered = False
        self._request_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.guest.connection = self
        self.guest.since = self.loop.time()
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_awaiting()
        self.resume_writing()
        self.guest.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.busy or self.transport.is_closing():
            self._stop_awaiting()
        else:
            self._await_request()

    def on_response_complete(self) -> None:
        self.answered = True
        self.guest.since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        self.guest.counts.requests[400] += 1
        super().send_400_response(msg)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self.guest.close, "write_timeout")

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    def _await_request(self) -> None:
        """From the first byte of it, or the first moment of all: bytes that trickle in win no time."""
        if self._request_timer is None:
            self._request_timer = self.loop.call_later(REQUEST_SECONDS, self.guest.close, "request_timeout")

    def _stop_awaiting(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None


def protocol() -> type[Connection]:
    """With a parser in C where httptools is installed and can be loaded, else with h11, at less speed."""
    try:
        from kmsg_exporter.collector.llhttp import LlhttpConnection
    except ImportError:
        from kmsg_exporter.collector.h11 import H11Connection

        return H11Connection
    return LlhttpConnection
