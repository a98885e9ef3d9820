"""HTTP over one connection: requests in, answers out, and an end to every wait."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Final, cast

from kmsg_exporter.metrics.site import Answer, Request, Site

if TYPE_CHECKING:
    import ssl
    import threading
    from socketserver import BaseServer

    from _typeshed import WriteableBuffer

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES: Final = 65536
_LINGER_READS: Final = 8
_LINGER_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a client may take for a whole request, between two (longer than scrapers pause), and for an answer."""

    request_seconds: float = 10.0
    idle_seconds: float = 360.0
    write_seconds: float = 10.0


class Connection:
    """One client's socket. Its own thread reads, writes and closes it; others may only shut it down."""

    def __init__(self, number: int, sock: socket.socket, address: str) -> None:
        self.number = number
        self.sock = sock
        self.address = address
        self.answered_at = 0.0
        self.thread: threading.Thread
        self._shut = False

    def secure(self, context: ssl.SSLContext, seconds: float) -> None:
        """Shake hands, in the connection's own thread: who never does keeps nobody else waiting. Raises OSError."""
        self.sock = secured = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)
        if self._shut:  # by somebody who had the socket that is no more
            raise ConnectionAbortedError("closed for another one")
        secured.settimeout(seconds)
        secured.do_handshake()

    def shut(self) -> None:
        """Wakes the connection's thread out of whatever it waits for."""
        self._shut = True
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # not TLS' own, which belongs to that thread

    def close(self) -> None:
        """Waits a moment for the client's end: closing on unread bytes would reset an answer that is on its way."""
        with self.sock, contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
            self.sock.settimeout(_LINGER_SECONDS)
            for _ in range(_LINGER_READS):
                if not self.sock.recv(MAX_REQUEST_BYTES):
                    break


class _RequestTooLargeError(Exception):
    pass


class _RequestReader(io.RawIOBase):
    """What a client sends, up to a moment and a size that are set anew for each request."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._deadline = 0.0
        self._bytes_left = 0

    def allow(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._bytes_left = MAX_REQUEST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self._bytes_left <= 0:
            raise _RequestTooLargeError
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the request took too long")
        self._sock.settimeout(seconds)
        count = self._sock.recv_into(buffer)
        self._bytes_left -= count
        return count


class Handler(BaseHTTPRequestHandler):
    """Serves one connection in its constructor, as http.server does, until either side ends it."""

    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # of what names none: 0.9 has no status to refuse it with
    disable_nagle_algorithm = True
    error_content_type = "text/plain; charset=utf-8"
    error_message_format = "%(message)s\n"

    def __init__(self, connection: Connection, site: Site, *, software: str, timeouts: Timeouts) -> None:
        self._client = connection
        self._site = site
        self._software = software
        self._timeouts = timeouts
        self._reader = _RequestReader(connection.sock)
        self._buffered = io.BufferedReader(self._reader)
        self._first = True
        super().__init__(connection.sock, (connection.address, 0), cast("BaseServer", None))

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = self._buffered

    def handle(self) -> None:
        try:
            super().handle()
        except OSError as exc:
            log.debug("connection with %s ended: %s", self._client.address, exc)

    def handle_one_request(self) -> None:
        self.command = self.requestline = self.request_version = ""
        try:
            if self._read_request():
                self._answer()
        except _RequestTooLargeError:
            self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _read_request(self) -> bool:
        if not self._first:
            self._reader.allow(self._timeouts.idle_seconds)
            self._buffered.peek(1)
        self._first = False
        self._reader.allow(self._timeouts.request_seconds)
        self.raw_requestline = self.rfile.readline(MAX_REQUEST_BYTES + 1)
        self.close_connection = not self.raw_requestline
        return bool(self.raw_requestline) and self.parse_request()

    def _answer(self) -> None:
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # nobody reads the body, and it must not pass for the next request
        path = self.path.partition("?")[0]
        request = Request(self.command, path, self.headers, self._client.number, self._client.address)
        try:
            answer = self._site.answer(request)
        except Exception:
            log.exception("answering %r failed", path)
            answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"Internal error: the agent's log says which.\n")
        try:
            self._write(answer)
        except OSError:
            self._site.missed(self._client.number, answer)
            raise
        self._client.answered_at = time.monotonic()

    def _write(self, answer: Answer) -> None:
        self.connection.settimeout(self._timeouts.write_seconds)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in answer.headers:
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def version_string(self) -> str:
        return self._software

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name that http.server gives it
        log.debug("%s: %r", self._client.address, format % args)
