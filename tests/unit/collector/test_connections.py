"""Connections that do not do what a client should."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kmsg_exporter.collector import connections, protocol, server
from kmsg_exporter.collector.server import CollectorServer

SECONDS = 30.0
CLOSED = 'kmsg_collector_connections_closed_total{{reason="{}"}}'
JSON = b"Content-Type: application/json\r\n\r\n"


@pytest.fixture
def crowded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CollectorServer]:
    """A collector that holds eight connections."""
    monkeypatch.setattr(server, "connections_allowed", lambda **_: 8)
    with CollectorServer("127.0.0.1", 0, tmp_path / "data") as running:
        yield running


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CollectorServer]:
    """A collector that waits a moment for a request's head and for an answer to be taken."""
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(protocol, "WRITE_SECONDS", 0.2)
    with CollectorServer("127.0.0.1", 0, tmp_path / "data") as running:
        yield running


def connect(collector: CollectorServer, sent: bytes = b"") -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", collector.port), timeout=SECONDS)
    sock.sendall(sent)
    return sock


def get(sock: socket.socket) -> bytes:
    """The start of the answer on a connection that stays."""
    sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = b""
    while not answer.endswith(b"healthy\n"):
        answer += sock.recv(65536)
    return answer[:12]


def counted(collector: CollectorServer, name: str) -> float:
    with contextlib.closing(connect(collector, b"GET /metrics HTTP/1.0\r\n\r\n")) as sock:
        text = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    return float(next(line.rpartition(" ")[2] for line in text.splitlines() if line.startswith(f"{name} ")))


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_idle_connections_keep_nobody_out(crowded: CollectorServer) -> None:
    with contextlib.ExitStack() as idle:
        for _ in range(40):
            idle.enter_context(connect(crowded))
        with connect(crowded) as late:
            assert get(late) == b"HTTP/1.1 200"
        assert counted(crowded, 'kmsg_collector_connections_closed_total{reason="evicted"}') >= 33
        assert counted(crowded, "kmsg_collector_connections") <= 8


def test_who_never_asked_goes_before_who_was_answered(crowded: CollectorServer) -> None:
    with contextlib.ExitStack() as stack:
        known = [stack.enter_context(connect(crowded)) for _ in range(4)]
        assert [get(sock) for sock in known] == [b"HTTP/1.1 200"] * 4
        idle = [stack.enter_context(connect(crowded)) for _ in range(30)]
        assert idle[0].recv(1) == b""  # closed
        assert [get(sock) for sock in known] == [b"HTTP/1.1 200"] * 4


def test_a_request_that_is_under_way_goes_last(crowded: CollectorServer, record: Any, body: Any) -> None:
    whole = body(record("slow"))
    head = f"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: {len(whole)}\r\nExpect: 100-continue\r\n"
    with contextlib.ExitStack() as stack:
        slow = stack.enter_context(connect(crowded, head.encode() + JSON))
        assert slow.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"  # it waits for the body
        for _ in range(30):
            stack.enter_context(connect(crowded))
        slow.sendall(whole)
        answer = slow.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"POST /v1/logs HTTP/1.1\r\nHost: a\r\n"])
def test_a_head_that_does_not_come_is_waited_for_and_no_longer(impatient: CollectorServer, sent: bytes) -> None:
    with connect(impatient, sent) as sock:
        assert sock.recv(1) == b""


def test_the_head_of_a_second_request_has_the_same_time(impatient: CollectorServer) -> None:
    with connect(impatient) as sock:
        assert get(sock) == b"HTTP/1.1 200"
        sock.sendall(b"GET / HT")
        assert sock.recv(1) == b""


def test_bytes_that_trickle_in_win_no_time(impatient: CollectorServer) -> None:
    with connect(impatient, b"GET / HTTP/1.1\r\n") as sock:
        sock.settimeout(0.01)
        closed = False
        while not closed:
            with contextlib.suppress(TimeoutError):
                try:
                    sock.sendall(b"X")
                    closed = sock.recv(1) == b""
                except ConnectionError:
                    closed = True


def fill(collector: CollectorServer, make_client: Any, record: Any, body: Any) -> None:
    """Events of which an answer has more than fits between collector and client."""
    large = {"body": {"stringValue": "x" * 120_000}}
    for each in range(3):
        sent = body(*(record(f"{each}-{number}", **large) for number in range(30)))
        assert make_client(collector.port).send(sent).status == 200


def ask_and_take_nothing(collector: CollectorServer) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(SECONDS)
    sock.connect(("127.0.0.1", collector.port))
    sock.sendall(b"GET /api/events?limit=500 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert sock.recv(17) == b"HTTP/1.1 200 OK\r\n"
    return sock


def rest(sock: socket.socket) -> bytes:
    """What still comes on a connection until it is closed, by a reset or not."""
    taken = b""
    with contextlib.suppress(ConnectionError):
        while piece := sock.recv(65536):
            taken += piece
    return taken


def test_a_client_that_takes_no_answer_is_closed(
    impatient: CollectorServer, make_client: Any, record: Any, body: Any
) -> None:
    fill(impatient, make_client, record, body)
    with ask_and_take_nothing(impatient):
        wait_until(lambda: counted(impatient, CLOSED.format("write_timeout")) == 1)


def test_of_answers_that_are_not_taken_those_that_wait_longest_make_room(
    crowded: CollectorServer, monkeypatch: pytest.MonkeyPatch, make_client: Any, record: Any, body: Any
) -> None:
    monkeypatch.setattr(connections, "MAX_UNTAKEN_BYTES", 100_000)
    fill(crowded, make_client, record, body)
    with ask_and_take_nothing(crowded) as first:
        assert counted(crowded, CLOSED.format("evicted")) == 0
        with ask_and_take_nothing(crowded) as second:
            wait_until(lambda: counted(crowded, CLOSED.format("evicted")) == 1)
            assert not rest(first).endswith(b"}")
            assert rest(second).endswith(b"}")
    assert counted(crowded, CLOSED.format("evicted")) == 1


def test_what_is_not_http_is_400_and_counted(crowded: CollectorServer, caplog: pytest.LogCaptureFixture) -> None:
    with connect(crowded, b"\x16\x03\x01 what a TLS client says\r\n\r\n") as sock:
        assert sock.recv(12) == b"HTTP/1.1 400"
    assert counted(crowded, 'kmsg_collector_requests_total{code="400"}') == 1
    assert caplog.records == []


def test_a_head_over_the_limit_is_refused(crowded: CollectorServer) -> None:
    with connect(crowded, b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000) as sock:
        assert sock.recv(12) == b"HTTP/1.1 400"


def test_the_limit_on_descriptors_is_raised_and_leaves_some_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = (1024, 1 << 20)

    def get_limit(_which: int) -> tuple[int, int]:
        return limits

    def set_limit(_which: int, wanted: tuple[int, int]) -> None:
        nonlocal limits
        limits = wanted

    monkeypatch.setattr(resource, "getrlimit", get_limit)
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    assert (connections.connections_allowed(), limits) == (2048, (65536, 1 << 20))
    assert connections.connections_allowed(tls=True) == 256
    limits = (1024, 2000)
    assert (connections.connections_allowed(), limits) == (1744, (2000, 2000))
    limits = (1024, 1024)
    assert connections.connections_allowed() == 768
    limits = (100, 100)
    assert connections.connections_allowed() == 50


def test_where_the_limit_may_not_be_raised_it_makes_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_which: int, _wanted: tuple[int, int]) -> None:
        raise PermissionError

    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", forbidden)
    assert connections.connections_allowed() == 768
