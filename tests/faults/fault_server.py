"""A collector that misbehaves on purpose: what it may do with a request, on real sockets."""

from __future__ import annotations

import email.utils
import gzip
import json
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fault_network import loopback

PATIENCE = 20.0
NOW = 1_445_412_480.0  # of the agent's clock: Wed, 21 Oct 2015 07:28:00 GMT

Act = Callable[["Handler", list[int]], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        content = json.loads(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
        records = content["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        numbers = [_number(record) for record in records]
        self.server.heard.append((self.path, dict(self.headers), numbers))
        self.server.bodies.append(content)
        with suppress(OSError):
            self.server.act(self, numbers)

    def take(self, numbers: list[int], body: bytes = b"{}") -> None:
        """Accept them, as a collector in good health does."""
        self.server.taken += numbers
        self.answer(200, body)

    def answer(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def _number(record: dict[str, Any]) -> int:
    """The sequence number of one of the tests' small events, or of a real one."""
    if "sequence" in record:
        return int(record["sequence"])
    values = {attribute["key"]: attribute["value"] for attribute in record["attributes"]}
    return int(values["kmsg.sequence"]["intValue"])


class Collector(ThreadingHTTPServer):
    """Does with each request what `act` says.

    `heard` has path, headers and sequence numbers of each, `taken` the numbers that were accepted,
    `bodies` what each request held.
    """

    daemon_threads = True
    block_on_close = True

    def __init__(self, act: Act) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.act = act
        self.heard: list[tuple[str, dict[str, str], list[int]]] = []
        self.taken: list[int] = []
        self.bodies: list[Any] = []
        self.over = threading.Event()
        self.mending = threading.Lock()
        self.port = int(self.server_address[1])
        self.context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is None:
            super().finish_request(request, client_address)
            return
        with self.context.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def serving(collector: Collector) -> Iterator[Collector]:
    with collector:
        thread = threading.Thread(target=collector.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield collector
        finally:
            collector.over.set()
            collector.shutdown()
            thread.join()


def accepts(handler: Handler, numbers: list[int]) -> None:
    handler.take(numbers)


def answers(status: int, **headers: str) -> Act:
    return lambda handler, _: handler.answer(status, b"{}", **headers)


def rejects_the_first(handler: Handler, numbers: list[int]) -> None:
    answer = {"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "too old"}}
    handler.take(numbers, json.dumps(answer).encode())


def asks_to_come_in_20_seconds(handler: Handler, _: list[int]) -> None:
    handler.answer(429, Retry_After=email.utils.formatdate(NOW + 20, usegmt=True))


def refuses_event_1(status: int) -> Act:
    def act(handler: Handler, numbers: list[int]) -> None:
        if 1 in numbers:
            handler.answer(status)
        else:
            handler.take(numbers)

    return act


def refuses_events(status: int) -> Act:
    """As a receiver does whose pipeline takes nothing: a request without records never comes to it."""
    return lambda handler, numbers: handler.answer(status if numbers else 200)


def takes_one_at_a_time(handler: Handler, numbers: list[int]) -> None:
    if len(numbers) > 1:
        handler.answer(413)
    else:
        handler.take(numbers)


def resets(handler: Handler, _: list[int]) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    os.close(handler.connection.detach())


def never_answers(handler: Handler, _: list[int]) -> None:
    handler.server.over.wait(PATIENCE)
    handler.close_connection = True


def cuts_the_network(handler: Handler, _: list[int]) -> None:
    with handler.server.mending:
        if not handler.server.over.is_set():
            loopback(up=False)
    handler.server.over.wait(PATIENCE)
    handler.close_connection = True


def goes_on_for_ever(handler: Handler, _: list[int]) -> None:
    handler.close_connection = True
    while not handler.server.over.is_set():
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        handler.server.over.wait(0.001)


def drips(head: bytes, drop: bytes) -> Act:
    """Sends `head`, then `drop` byte by byte, each well within the time-out of one recv."""

    def act(handler: Handler, numbers: list[int]) -> None:
        handler.close_connection = True
        if b"\r\n\r\n" in head:
            handler.server.taken += numbers
        handler.wfile.write(head)
        while not handler.server.over.wait(0.02):
            handler.wfile.write(drop)

    return act


def babbles(handler: Handler, _: list[int]) -> None:
    handler.close_connection = True
    handler.wfile.write(b"\x00\xffSMTP ready\r\n\r\n")


def sends_10_gib(status: int) -> Act:
    def act(handler: Handler, numbers: list[int]) -> None:
        handler.close_connection = True
        if status == 200:
            handler.server.taken += numbers
        handler.send_response(status)
        handler.send_header("Content-Length", str(10 << 30))
        handler.end_headers()
        block = b"x" * (1 << 16)
        while not handler.server.over.is_set():
            handler.wfile.write(block)

    return act


def redirects(handler: Handler, _: list[int]) -> None:
    handler.answer(307, Location=f"http://127.0.0.1:{handler.server.port}/elsewhere")
