"""HTTP by llhttp, which has no bounds of its own: on a request's head, on what is no content, on requests in a row."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kmsg_exporter.collector.protocol import MAX_HEAD_BYTES, Connection

MAX_HEADERS: Final = 100
# sent before the first of them is answered
MAX_PIPELINED: Final = 16
# how often a head of each version names its host; there are no other versions
_HOSTS: Final = {"1.0": (0, 1), "1.1": (1,)}


class _RefusedError(Exception):
    """Stops the parser; uvicorn answers with 400."""


class LlhttpConnection(Connection, HttpToolsProtocol):  # type: ignore[misc]  # one of two bases
    """What is no HTTP is refused in its turn: requests before it are answered first."""

    _in_head = False
    _head_bytes = 0
    # of a head that is not complete, of what is neither head nor body: a chunk's extensions, trailers, empty lines
    _unfinished_bytes = 0
    _got_on = False
    _refusal: str | None = None

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        self._got_on = False
        super().data_received(data)
        if not self._got_on:
            self._unfinished_bytes += len(data)
        if self._refusal is None and self._unfinished_bytes > MAX_HEAD_BYTES:
            self.send_400_response("The head is too large.")

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_PIPELINED:
            raise _RefusedError
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        if len(self.headers) >= MAX_HEADERS:
            raise _RefusedError
        if self._in_head:  # not what comes behind the body's chunks
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._get_on()
        names = [name for name, _ in self.headers]
        if names.count(b"host") not in _HOSTS.get(self.parser.get_http_version(), ()):
            raise _RefusedError
        # llhttp takes what comes behind such a head for another protocol's
        if self.parser.should_upgrade() and (b"content-length" in names or b"transfer-encoding" in names):
            raise _RefusedError
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._get_on()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._get_on()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        self._refusal = msg
        if self.pipeline:
            if self.cycle.more_body:  # the newest of them, which will never be whole
                self.pipeline.popleft()
        elif not self.busy or (self.cycle.more_body and not self.cycle.response_started):
            super().send_400_response(msg)

    def on_response_complete(self) -> None:
        last = not self.pipeline
        super().on_response_complete()
        if self.pipeline and not self.transport.is_closing():
            self.flow.pause_reading()  # it resumes for each answer: what comes is for a request whose turn is not yet
        if last and self.cycle.response_complete:
            self.cycle.body = bytearray()  # what its app did not read would stay as long as the connection
        if last and self._refusal is not None and not self.transport.is_closing():
            super().send_400_response(self._refusal)

    def _count(self, head_bytes: int) -> None:
        self._head_bytes += head_bytes
        if self._head_bytes > MAX_HEAD_BYTES:
            raise _RefusedError

    def _get_on(self) -> None:
        self._got_on, self._unfinished_bytes = True, 0
