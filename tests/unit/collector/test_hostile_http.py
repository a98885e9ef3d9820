"""What is no HTTP, or too much of it, with each of the parsers."""

from __future__ import annotations

import http.client
import re
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from kmsg_exporter.collector import server
from kmsg_exporter.collector.h11 import H11Connection
from kmsg_exporter.collector.llhttp import MAX_HEADERS, MAX_PIPELINED, LlhttpConnection
from kmsg_exporter.collector.protocol import Connection, protocol
from kmsg_exporter.collector.server import CollectorServer

SECONDS = 30.0
POST = b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
HEALTHY = b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n"


def running(directories: pytest.TempPathFactory, parser: type[Connection]) -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "protocol", lambda: parser)
        with CollectorServer("127.0.0.1", 0, directories.mktemp("data")) as collector:
            yield collector.port


@pytest.fixture(scope="module")
def llhttp_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    yield from running(tmp_path_factory, LlhttpConnection)


@pytest.fixture(scope="module")
def h11_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    yield from running(tmp_path_factory, H11Connection)


@pytest.fixture(params=["llhttp", "h11"])
def port(request: pytest.FixtureRequest) -> int:
    """Of a collector for all tests: each has connections of its own."""
    found: int = request.getfixturevalue(f"{request.param}_port")
    return found


def said(port: int, *sent: bytes) -> bytes:
    """All that is answered until the connection is closed, by whoever."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock:
        for each in sent:
            sock.sendall(each)
        return until_closed(sock)


def until_closed(sock: socket.socket) -> bytes:
    answer = bytearray()
    try:
        while piece := sock.recv(65536):
            answer += piece
    except ConnectionResetError:
        pass
    return bytes(answer)


def statuses(answers: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)


def post(*heads: bytes) -> bytes:
    return POST + b"".join(head + b"\r\n" for head in heads) + b"\r\n"


def test_the_parser_in_c_is_taken_where_it_is_installed() -> None:
    assert protocol() is LlhttpConnection


def test_without_it_h11_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kmsg_exporter.collector.llhttp", None)
    assert protocol() is H11Connection


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(b"\x00" * 100 + b"\r\n\r\n", id="zeros"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n", id="a blank in a header's name"),
        pytest.param(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", id="a blank behind a header's name"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", id="a zero in a header"),
        pytest.param(post(b"Content-Length: -1"), id="a length below 0"),
        pytest.param(post(b"Content-Length: +2") + b"{}", id="a length with a sign"),
        pytest.param(post(b"Content-Length: 0x2") + b"{}", id="a length in hexadecimals"),
        pytest.param(post(b"Content-Length: 99999999999999999999999"), id="a length over 64 bits"),
        pytest.param(post(b"Content-Length: 2", b"Content-Length: 3") + b"{} ", id="two lengths"),
        pytest.param(post(b"Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n", id="a chunk's length"),
        pytest.param(post(b"Transfer-Encoding: chunked") + b"-2\r\n{}\r\n0\r\n\r\n", id="a chunk's length below 0"),
        pytest.param(post(b"Transfer-Encoding: chunked") + b"f" * 30 + b"\r\n{}", id="a chunk over 64 bits"),
        pytest.param(post(b"Transfer-Encoding: chunked") + b"2\r\n{}xx0\r\n\r\n", id="a chunk with more in it"),
    ],
)
def test_what_is_no_http_is_400_or_less(port: int, sent: bytes) -> None:
    """h11 knows no bound on a length, which is 413 then."""
    answer = said(port, sent)
    assert statuses(answer) in ([b"400"], [b"413"]), answer


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
    ],
)
def test_llhttp_takes_no_other_versions_methods_and_ends_of_lines(llhttp_port: int, sent: bytes) -> None:
    assert statuses(said(llhttp_port, sent)) == [b"400"]


@pytest.mark.parametrize(
    "encoding", [b"chunked", b"Chunked", b"identity, chunked", b"chunked, identity", b"xchunked", b"\x0bchunked"]
)
def test_a_body_with_a_length_and_an_encoding_hides_no_second_request(port: int, encoding: bytes) -> None:
    """Of both lengths a proxy in front may believe the other one."""
    hidden = b"0\r\n\r\n" + HEALTHY + b"Connection: close\r\n\r\n"
    sent = post(b"Content-Length: " + str(len(hidden)).encode(), b"Transfer-Encoding: " + encoding) + hidden
    answer = said(port, sent)
    assert b"healthy\n" not in answer or encoding.lower() == b"chunked"
    assert statuses(answer)[0] in (b"400", b"501")


def test_llhttp_takes_no_body_with_both_a_length_and_an_encoding(llhttp_port: int) -> None:
    sent = post(b"Content-Length: 12", b"Transfer-Encoding: chunked") + b"2\r\n{}\r\n0\r\n\r\n"
    assert statuses(said(llhttp_port, sent)) == [b"400"]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", id="target"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", id="value"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"y" * 20_000 + b": x\r\n\r\n", id="name"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4_000 + b"\r\n", id="headers"),
    ],
)
@pytest.mark.parametrize("pieces", [1, 30])
def test_llhttp_takes_no_head_over_16_kib(llhttp_port: int, head: bytes, pieces: int) -> None:
    with socket.create_connection(("127.0.0.1", llhttp_port), timeout=SECONDS) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = -(-len(head) // pieces)
        try:
            for begin in range(0, len(head), size):
                sock.sendall(head[begin : begin + size])
        except ConnectionError:
            pass  # it was refused before its end
        answer = until_closed(sock)
    assert statuses(answer) in ([b"400"], [])  # what was still under way may have cut off the answer


@pytest.mark.parametrize(
    "head",
    [b"GET /" + b"x" * 20_000, b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000, b"GET / HTTP/1.1\r\n" + b"y" * 20_000],
)
def test_a_head_that_has_no_end_is_refused_at_16_kib(port: int, head: bytes) -> None:
    assert statuses(said(port, head)) == [b"400"]


def test_a_head_just_under_the_limit_is_taken_in_any_pieces(port: int) -> None:
    head = HEALTHY + b"X: " + b"y" * 16_000 + b"\r\nConnection: close\r\n\r\n"
    assert statuses(said(port, head)) == [b"200"]
    assert statuses(said(port, head[:9_000], head[9_000:])) == [b"200"]


def test_llhttp_takes_a_hundred_headers_and_no_more(llhttp_port: int) -> None:
    def head(count: int) -> bytes:
        return b"GET /-/healthy HTTP/1.0\r\n" + b"X: y\r\n" * count + b"\r\n"

    assert statuses(said(llhttp_port, head(MAX_HEADERS))) == [b"200"]
    assert statuses(said(llhttp_port, head(MAX_HEADERS + 1))) == [b"400"]


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"2;" + b"x" * 20_000, id="a chunk's extensions"),
        pytest.param(b"0\r\nX: " + b"x" * 20_000, id="a trailer"),
        pytest.param(b"0\r\n" + b"X: y\r\n" * 4_000, id="trailers"),
    ],
)
def test_what_is_neither_head_nor_body_is_bounded_as_well(llhttp_port: int, endless: bytes) -> None:
    with socket.create_connection(("127.0.0.1", llhttp_port), timeout=SECONDS) as sock:
        sock.sendall(post(b"Transfer-Encoding: chunked", b"Expect: 100-continue"))
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(endless)
        assert statuses(until_closed(sock)) == [b"400"]


def test_a_trailer_is_no_header(llhttp_port: int, record: Any, body: Any) -> None:
    whole = body(record("a"))
    sent = b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    sent += b"%x\r\n%s\r\n0\r\nContent-Type: application/json\r\n\r\n" % (len(whole), whole)
    assert statuses(said(llhttp_port, sent)) == [b"415"]


def test_requests_in_a_row_are_answered_in_their_order(port: int, record: Any, body: Any) -> None:
    whole = body(record("a"))
    first = post(b"Content-Length: " + str(len(whole)).encode()) + whole
    answer = said(port, first + HEALTHY + b"\r\n" + b"GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert statuses(answer) == [b"200", b"200", b"404"]
    assert answer.index(b"{}") < answer.index(b"healthy\n")


def test_what_is_no_http_behind_a_request_does_not_take_its_answer(port: int, record: Any, body: Any) -> None:
    whole = body(record("a"))
    first = post(b"Content-Length: " + str(len(whole)).encode()) + whole
    assert statuses(said(port, first + b"garbage\r\n\r\n")) == [b"200", b"400"]
    assert statuses(said(port, first + HEALTHY + b"\r\n" + b"garbage\r\n\r\n")) == [b"200", b"200", b"400"]


def test_a_bad_chunk_in_the_second_of_two_requests_is_refused_in_its_turn(llhttp_port: int) -> None:
    bad = post(b"Transfer-Encoding: chunked") + b"zz\r\n"
    assert statuses(said(llhttp_port, HEALTHY + b"\r\n" + bad)) == [b"200", b"400"]


def test_llhttp_lets_a_bounded_number_of_requests_wait(llhttp_port: int) -> None:
    """One is being answered, the others wait, and what comes behind them is not read."""
    answer = said(llhttp_port, (HEALTHY + b"\r\n") * 10_000)
    assert statuses(answer) == [b"200"] * (MAX_PIPELINED + 1) + [b"400"]


def test_an_upgrade_without_a_body_is_answered_as_if_it_had_not_been_asked_for(port: int) -> None:
    asked = HEALTHY + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock:
        sock.sendall(asked)
        assert sock.recv(12) == b"HTTP/1.1 200"


def test_llhttp_refuses_an_upgrade_with_a_body_rather_than_lose_the_body(
    llhttp_port: int, record: Any, body: Any
) -> None:
    whole = body(record("a"))
    length = b"Content-Length: " + str(len(whole)).encode()
    assert statuses(said(llhttp_port, post(b"Connection: Upgrade", b"Upgrade: h2c", length) + whole)) == [b"400"]


@pytest.mark.parametrize("target", [b"*", b"http://a/-/healthy", b"//a", b"/\xff\xfe", b"/%00", b"/%ff", b"?"])
def test_an_odd_target_is_answered(port: int, target: bytes) -> None:
    answer = said(port, b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert statuses(answer)[0] in (b"200", b"400", b"404"), answer


def test_an_answer_that_comes_early_leaves_the_connection_usable(port: int) -> None:
    """The rest of a body that was refused is not taken for the next request."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock:
        sock.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 60\r\n\r\n")
        response = http.client.HTTPResponse(sock, method="POST")
        response.begin()
        assert response.status == 415
        response.read()
        sock.sendall(b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n".ljust(60) + HEALTHY + b"Connection: close\r\n\r\n")
        assert statuses(until_closed(sock)) == [b"200"]
