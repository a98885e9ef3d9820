"""One exchange with a server that answers by the byte."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from kmsg_exporter.errors import PushError
from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.resource import Resource

PATIENCE = 20.0
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
MOVED = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /v2/logs\r\n"


class Server:
    """Says `answer` to each request and keeps the connection open; `met` counts connections."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.met = 0
        self.heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1/logs?api_key=QUERYSECRET"

    def serve(self, kept: ExitStack) -> None:
        while True:
            try:
                sock = kept.enter_context(self._listener.accept()[0])
            except OSError:
                return
            self.met += 1
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _talk(self, sock: socket.socket) -> None:
        while True:
            heard = b""
            while b"\r\n\r\n" not in heard or len(heard.partition(b"\r\n\r\n")[2]) < _length(heard):
                try:
                    piece = sock.recv(65536)
                except OSError:
                    return
                if not piece:
                    return
                heard += piece
            self.heard = heard
            sock.sendall(self.answer.replace(b"AUTHORIZATION", _header(heard, b"authorization")))


def _length(heard: bytes) -> int:
    return int(_header(heard, b"content-length"))


def _header(heard: bytes, name: bytes) -> bytes:
    lines = heard.partition(b"\r\n\r\n")[0].split(b"\r\n")
    found = (line.partition(b":")[2].strip() for line in lines if line.lower().startswith(name + b":"))
    return next(found, b"")


@contextmanager
def answering(answer: bytes) -> Iterator[Server]:
    server = Server(answer)
    with ExitStack() as kept:
        thread = threading.Thread(target=server.serve, args=(kept,))
        thread.start()
        try:
            yield server
        finally:
            server.close()
            thread.join(PATIENCE)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def delivery(url: str) -> Delivery:
    return Delivery(Endpoint(url, {"Authorization": "Bearer HDRSECRET"}, timeout_seconds=PATIENCE), Resource({}))


def refused(to: Delivery) -> str:
    with pytest.raises(PushError) as caught:
        to.post([{"uid": "one"}])
    return caught.value.reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (MOVED + b"Content-Length: 300000000\r\n\r\nx", "http_307"),
        (MOVED + b"Content-Length: 4\r\nContent-Encoding: gzip, gzip, gzip\r\n\r\nbomb", "http_307"),
        (MOVED + b"Content-Length: 4\r\nContent-Encoding: gzip, gzip, gzip, gzip, gzip, gzip\r\n\r\nbomb", "http_307"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n", "http_302"),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 300000000\r\n\r\nx", "http_401"),
    ],
    ids=["a body without end", "packed thrice", "packed six times", "to no address", "no redirect"],
)
def test_of_a_refusal_nothing_is_read_and_its_connection_ends(answer: bytes, reason: str) -> None:
    """The rest of such a body never comes: who waits for it gets a `timeout`."""
    with answering(answer) as server, closing(delivery(server.url)) as to:
        assert [refused(to), refused(to)] == [reason, reason]
        assert server.met == 2


def test_an_informational_answer_is_not_the_answer() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    with answering(hints + b"HTTP/1.1 102 Processing\r\n\r\n" + DONE) as server, closing(delivery(server.url)) as to:
        assert to.post([{"uid": "one"}]) == 0
        assert to.post([{"uid": "two"}]) == 0
        assert server.met == 1


def test_an_answer_that_is_no_http_throughout_shows_no_secret_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nyou said AUTHORIZATION\r\nX: y\r\n\r\n{}"
    with answering(answer) as server, closing(delivery(server.url)) as to:
        to.post([{"uid": "one"}])
        assert b"HDRSECRET" in server.heard
    assert "SECRET" not in caplog.text


def test_a_socks_proxy_is_named_as_what_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with closing(delivery("http://collector.example:4318/v1/logs")) as to, pytest.raises(PushError) as caught:
        to.post([{"uid": "one"}])
    assert caught.value.reason == "proxy"
    assert str(caught.value).endswith(
        "the proxy refused, or is no HTTP proxy: check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY"
    )
