"""The web server, over real sockets: routes, born at zero, and clients that mean harm."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kmsg_exporter.agent.face import Face
from kmsg_exporter.errors import KmsgExporterError
from kmsg_exporter.metrics.handler import Timeouts
from kmsg_exporter.metrics.page import Node
from kmsg_exporter.metrics.web import WebServer
from kmsg_exporter.model import Observation, ProbeState
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sender import Sender
from kmsg_exporter.push.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kmsg_exporter.metrics.totals import Totals

    Serve = Callable[..., WebServer]
    Client = Callable[[WebServer], http.client.HTTPConnection]

SCRAPER = {"X-Prometheus-Scrape-Timeout-Seconds": "10"}
PATIENCE_SECONDS = 30.0


@pytest.fixture
def client() -> Iterator[Client]:
    with contextlib.ExitStack() as stack:

        def connect(server: WebServer) -> http.client.HTTPConnection:
            return stack.enter_context(
                contextlib.closing(http.client.HTTPConnection(*server.addresses[0], timeout=PATIENCE_SECONDS))
            )

        yield connect


@pytest.fixture
def raw() -> Iterator[Callable[[WebServer, bytes], socket.socket]]:
    with contextlib.ExitStack() as stack:

        def connect(server: WebServer, sent: bytes) -> socket.socket:
            sock = stack.enter_context(socket.create_connection(server.addresses[0], timeout=PATIENCE_SECONDS))
            sock.sendall(sent)
            return sock

        yield connect


def ask(
    connection: http.client.HTTPConnection, path: str, method: str = "GET", **headers: str
) -> tuple[int, str, http.client.HTTPMessage]:
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.read().decode(), response.headers


def scrape(connection: http.client.HTTPConnection) -> dict[str, float]:
    status, text, _ = ask(connection, "/metrics", **SCRAPER)
    assert status == 200
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("kmsg_"))
    return {name: float(value) for name, value in lines}


def everything(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65536), b""))


def answered(connection: http.client.HTTPConnection) -> None:
    """Returns when the server surely knows that it has answered: a second answer comes after it noted the first."""
    assert [ask(connection, "/-/healthy")[0] for _ in range(2)] == [200, 200]


def close_and_wait(connection: http.client.HTTPConnection) -> None:
    """Closes the only connection there is, and returns when the server has noticed."""
    workers = [thread for thread in threading.enumerate() if thread.name.startswith("web-")]
    connection.close()
    for thread in workers:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


WRITES = 'kmsg_writes_total{comm="logger",exe="/usr/bin/logger"}'


def test_metrics_are_text_in_the_format_that_prometheus_reads(serve: Serve, client: Client, totals: Totals) -> None:
    totals.write("logger", "/usr/bin/logger")
    status, text, headers = ask(client(serve()), "/metrics")
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert f"\n{WRITES} 1.0\n" in text
    assert 'kmsg_exporter_build_info{pythonversion="' in text


def test_the_query_is_ignored(serve: Serve, client: Client) -> None:
    assert ask(client(serve()), "/metrics?x=1")[0] == 200


def test_a_telemetry_path_of_ones_own_replaces_metrics(serve: Serve, client: Client) -> None:
    connection = client(serve(telemetry_path="/telemetry"))
    assert ask(connection, "/telemetry")[0] == 200
    assert ask(connection, "/metrics")[:2] == (404, "Not found. Metrics are at /telemetry\n")


def test_the_page_is_html_that_may_load_nothing(serve: Serve, client: Client) -> None:
    status, text, headers = ask(client(serve()), "/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Server"] == "kmsg_exporter/0.1.0"
    assert '<a href="/metrics">Metrics</a>' in text


def test_healthy_while_it_lives(serve: Serve, client: Client) -> None:
    connection = client(serve(Observation("kprobe", ready=False)))
    assert ask(connection, "/-/healthy")[:2] == (200, "healthy\n")


def test_ready_once_attached(serve: Serve, client: Client) -> None:
    assert ask(client(serve()), "/-/ready")[:2] == (200, "ready\n")


def test_not_ready_names_what_is_missing(serve: Serve, client: Client) -> None:
    probes = (ProbeState("syslog", attached=False), ProbeState("open", attached=True))
    torn = serve(Observation("kprobe", ready=False, probes=probes))
    assert ask(client(torn), "/-/ready")[:2] == (503, "not ready: not attached: syslog\n")
    starting = serve(Observation("kprobe", ready=False))
    assert ask(client(starting), "/-/ready")[:2] == (503, "not ready: the kprobe backend is not in place\n")


@pytest.mark.parametrize("path", ["/nonexistent", "/metrics/", "/-/", "//metrics2", "http://x/metrics"])
def test_any_other_path_is_not_found(serve: Serve, client: Client, path: str) -> None:
    status, text, headers = ask(client(serve()), path)
    assert (status, text) == (404, "Not found. Metrics are at /metrics\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy", "/-/ready"])
def test_head_answers_as_get_does_without_the_body(serve: Serve, client: Client, path: str) -> None:
    connection = client(serve())
    status, text, headers = ask(connection, path, "HEAD")
    assert (status, text) == (200, "")
    assert int(headers["Content-Length"]) > 0
    assert ask(connection, path)[0] == 200


def test_no_route_takes_another_method_and_nothing_that_is_asked_changes_anything(
    serve: Serve, client: Client, totals: Totals, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool.sqlite3")
    spool.append(lambda uid, sequence: {"body": {"stringValue": f"{uid} {sequence}"}})
    sender = Sender(spool, None, Resource({}), boot_id="b")
    face = Face("node-7", spool, sender, None, refused=dict, compat=False)
    totals.write("logger", "/usr/bin/logger")
    seen = Observation("kprobe", ready=True)
    connection = client(serve(seen, node=face))

    def state() -> object:
        held = {path.name: path.read_bytes() for path in tmp_path.iterdir() if not path.name.endswith("-shm")}
        return totals.snapshot(), replace(seen), held, spool.state, spool.history(), spool.last_sequence

    ask(connection, "/metrics")  # what a scrape is the first to show is born now
    before = state()
    for path in ("/", "/metrics", "/-/healthy", "/-/ready"):
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "BREW", "get"):
            connection.request(method, path, body=b"x=1")
            response = connection.getresponse()
            assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD"), (path, method)
            assert response.read() == b"Method not allowed: GET and HEAD are.\n"
        for method in ("GET", "HEAD"):
            assert ask(connection, f"{path}?delete=1", method)[0] == 200
    for path in ("/-/reload", "/-/quit", "/history", "/api", "/static/style.css", "/debug"):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE"):
            assert ask(connection, path, method)[0] == 404
    assert state() == before
    spool.close()


@pytest.mark.parametrize(
    ("host", "link"),
    [
        ("node-7:10144", "http://node-7:4318/"),
        ("[fd00::7]:10144", "http://[fd00::7]:4318/"),
        ('"><script>', "http://localhost:4318/"),
        ("a b", "http://localhost:4318/"),
    ],
)
def test_a_collector_that_listens_everywhere_is_linked_by_the_name_that_the_node_was_asked_for(
    serve: Serve, client: Client, host: str, link: str
) -> None:
    server = serve(node=lambda: Node(collector="http://localhost:4318/"))
    assert f'<a href="{link}">Collector</a>' in ask(client(server), "/", Host=host)[1]


def test_a_body_is_not_taken_for_the_next_request(serve: Serve, raw: Callable[..., socket.socket]) -> None:
    smuggled = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    sock = raw(serve(), b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(smuggled), smuggled))
    sock.shutdown(socket.SHUT_WR)
    answer = everything(sock)
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_two_requests_sent_at_once_are_both_answered(serve: Serve, raw: Callable[..., socket.socket]) -> None:
    sock = raw(serve(), b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    sock.shutdown(socket.SHUT_WR)
    assert everything(sock).count(b"\r\n\r\nready\n") == 2


@pytest.mark.parametrize(
    ("accept", "packed"), [("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("identity", False)]
)
def test_gzip_is_for_those_who_take_it(serve: Serve, client: Client, accept: str, packed: bool) -> None:
    connection = client(serve())
    connection.request("GET", "/metrics", headers={"Accept-Encoding": accept})
    response = connection.getresponse()
    body = response.read()
    assert response.headers["Content-Encoding"] == ("gzip" if packed else None)
    assert (gzip.decompress(body) if packed else body).startswith(b"# HELP kmsg_clears_total ")


def test_numbers_are_refreshed_before_they_are_shown(serve: Serve, client: Client, totals: Totals) -> None:
    server = serve(refresh=lambda: totals.write("logger", "/usr/bin/logger"))
    assert f"\n{WRITES} 1.0\n" in ask(client(server), "/metrics")[1]


def test_an_error_of_ours_is_500_and_in_the_log(serve: Serve, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("told you so")

    connection = client(serve(refresh=fail))
    assert ask(connection, "/metrics")[:2] == (500, "Internal error: the agent's log says which.\n")
    assert "answering '/metrics' failed" in caplog.text
    assert "told you so" in caplog.text
    assert ask(connection, "/-/healthy")[0] == 200


def test_two_scrapers_behind_one_address_each_see_zero_first_and_then_one(
    serve: Serve, client: Client, totals: Totals
) -> None:
    server = serve()
    first, second = client(server), client(server)
    scrape(first)
    scrape(second)
    totals.write("logger", "/usr/bin/logger")
    assert [scrape(first)[WRITES], scrape(second)[WRITES]] == [0.0, 0.0]
    assert [scrape(second)[WRITES], scrape(first)[WRITES]] == [1.0, 1.0]


def test_the_first_scrape_of_a_young_agent_sees_zero(serve: Serve, client: Client, totals: Totals) -> None:
    totals.write("logger", "/usr/bin/logger")
    connection = client(serve())
    assert scrape(connection)[WRITES] == 0.0
    assert scrape(connection)[WRITES] == 1.0


def test_a_person_sees_the_truth_and_changes_nothing_for_a_scraper(
    serve: Serve, client: Client, totals: Totals
) -> None:
    totals.write("logger", "/usr/bin/logger")
    connection = client(serve())
    for method in ("HEAD", "GET"):
        ask(connection, "/metrics", method)
    assert f"\n{WRITES} 1.0\n" in ask(connection, "/metrics")[1]
    ask(connection, "/metrics", "HEAD", **SCRAPER)
    assert scrape(connection)[WRITES] == 0.0


def test_a_scraper_that_reconnects_goes_on_where_it_was(serve: Serve, client: Client, totals: Totals) -> None:
    server = serve()
    totals.write("logger", "/usr/bin/logger")
    connection = client(server)
    assert scrape(connection)[WRITES] == 0.0
    close_and_wait(connection)
    totals.open("cat", "", "dev_kmsg")
    shown = scrape(client(server))
    assert shown[WRITES] == 1.0
    assert shown['kmsg_opens_total{comm="cat",exe="",interface="dev_kmsg"}'] == 0.0


def test_a_scraper_without_keep_alive_is_known_by_its_address(
    serve: Serve, raw: Callable[..., socket.socket], totals: Totals
) -> None:
    server = serve()
    totals.write("logger", "/usr/bin/logger")
    request = b"GET /metrics HTTP/1.1\r\nConnection: close\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n"
    seen = [f"\n{WRITES} 1.0\n".encode() in everything(raw(server, request)) for _ in range(3)]
    assert seen == [False, True, True]


def test_a_scrape_succeeds_among_two_hundred_that_never_finish_their_headers(
    serve: Serve, client: Client, raw: Callable[..., socket.socket]
) -> None:
    server = serve()
    kept = client(server)
    answered(kept)
    for _ in range(200):
        raw(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    assert scrape(client(server))["kmsg_emptied_total"] == 0.0
    sock = kept.sock
    assert scrape(kept)["kmsg_emptied_total"] == 0.0
    assert kept.sock is sock


def test_a_scrape_succeeds_among_many_that_do_not_read_their_answers(
    serve: Serve, client: Client, raw: Callable[..., socket.socket], totals: Totals
) -> None:
    for n in range(400):
        totals.write(f"c{n}", "/" + "x" * 4000)
    server = serve(max_requests=2)
    for _ in range(20):
        raw(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 8)
    answers = (ask(client(server), "/metrics")[0] for _ in range(1000))
    assert next(status for status in answers if status != 503) == 200


def test_the_connection_that_never_had_an_answer_makes_room_first(
    serve: Serve, client: Client, raw: Callable[..., socket.socket]
) -> None:
    server = serve(max_connections=2)
    kept = client(server)
    answered(kept)
    silent = raw(server, b"GET / HTTP/1.1\r\n")
    assert ask(client(server), "/-/healthy")[0] == 200
    assert everything(silent) == b""
    sock = kept.sock
    assert ask(kept, "/-/healthy")[0] == 200
    assert kept.sock is sock


def test_of_those_that_had_one_the_longest_without_makes_room(
    serve: Serve, client: Client, raw: Callable[..., socket.socket]
) -> None:
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert release.wait(PATIENCE_SECONDS)

    server = serve(max_connections=2, refresh=hold)
    older = raw(server, b"HEAD /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nHEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert entered.wait(PATIENCE_SECONDS)
    newer = client(server)
    answered(newer)
    assert ask(client(server), "/-/healthy")[0] == 200
    release.set()
    assert everything(older).count(b"HTTP/1.1 200 ") == 1
    sock = newer.sock
    answered(newer)
    assert newer.sock is sock


def test_more_scrapes_at_once_than_allowed_are_told_so(serve: Serve, client: Client) -> None:
    entered, release = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert release.wait(PATIENCE_SECONDS)

    server = serve(max_requests=1, refresh=hold)
    held = client(server)
    held.request("GET", "/metrics")
    assert entered.wait(PATIENCE_SECONDS)
    refused = client(server)
    assert ask(refused, "/metrics")[:2] == (503, "1 scrapes are being answered, as many as allowed.\n")
    assert ask(refused, "/-/healthy")[0] == 200
    release.set()
    assert held.getresponse().read().startswith(b"# HELP")
    assert ask(refused, "/metrics")[0] == 200


def test_no_limit_on_scrapes_at_once_is_zero(serve: Serve, client: Client) -> None:
    assert ask(client(serve(max_requests=0)), "/metrics")[0] == 200


def test_a_request_that_takes_too_long_is_cut_off(serve: Serve, raw: Callable[..., socket.socket]) -> None:
    sock = raw(serve(timeouts=Timeouts(request_seconds=0.05)), b"GET / HTTP/1.1\r\nX: ")
    assert everything(sock) == b""


def test_an_idle_connection_is_closed(serve: Serve, raw: Callable[..., socket.socket]) -> None:
    sock = raw(serve(timeouts=Timeouts(idle_seconds=0.05)), b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")
    assert everything(sock).endswith(b"\r\n\r\nready\n")


def test_scrapers_may_pause_two_minutes_and_more() -> None:
    assert Timeouts().idle_seconds > 120


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70000, b"431"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET /" + b"x" * 70000, b"431"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"GET / EXTRA HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00 \xff \r\n\r\n", b"400"),
    ],
)
def test_what_is_too_large_or_no_request_is_refused_in_words(
    serve: Serve, raw: Callable[..., socket.socket], sent: bytes, status: bytes
) -> None:
    answer = everything(raw(serve(), sent))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" " + status + b" " in head.splitlines()[0]
    assert b"Content-Type: text/plain; charset=utf-8" in head
    assert body


def test_a_connection_that_says_nothing_is_no_error(serve: Serve, raw: Callable[..., socket.socket]) -> None:
    sock = raw(serve(), b"\r\n")
    assert everything(sock) == b""


def test_stop_closes_what_is_open_and_ends_all_threads(raw: Callable[..., socket.socket], totals: Totals) -> None:
    before = set(threading.enumerate())
    server = WebServer(
        [("127.0.0.1", 0), ("127.0.0.1", 0)],
        totals=totals,
        observe=lambda: Observation("state", ready=True),
        version="0.1.0",
    )
    server.start()
    idle = raw(server, b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")
    slow = raw(server, b"GET ")
    assert b"HTTP/1.1 200 " in idle.recv(65536)
    server.stop()
    server.stop()
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()
    with contextlib.suppress(ConnectionResetError):  # what it sent may be unread still
        assert everything(slow) == b""
    for address in server.addresses:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


def test_an_address_that_is_taken_is_an_error_that_names_it(serve: Serve, totals: Totals) -> None:
    host, port = serve().addresses[0]
    second = WebServer(
        [("127.0.0.1", 0), (host, port)],
        totals=totals,
        observe=lambda: Observation("state", ready=True),
        version="0.1.0",
    )
    with pytest.raises(KmsgExporterError) as taken:
        second.start()
    assert str(taken.value) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use: stop what listens there (ss -ltnp shows it), or "
        "choose another with --web.listen-address"
    )
    second.stop()


def test_no_host_is_every_interface(totals: Totals) -> None:
    known = Observation("state", ready=True)
    with WebServer([("", 0)], totals=totals, observe=lambda: known, version="0.1.0") as server:
        port = server.addresses[0][1]
        for host in ["127.0.0.1", "::1"] if socket.has_dualstack_ipv6() else ["127.0.0.1"]:
            with contextlib.closing(http.client.HTTPConnection(host, port, timeout=PATIENCE_SECONDS)) as connection:
                assert ask(connection, "/-/ready")[0] == 200
