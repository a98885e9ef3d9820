"""Through a real proxy, chosen by the variables that people know. Only the proxy knows where the collector is."""

from __future__ import annotations

import base64
import logging
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fault_certs import Authority
from fault_node import Node, living
from fault_server import PATIENCE, Collector, accepts, serving

from kmsg_exporter.agent.destination import inside
from kmsg_exporter.config import Config
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.session import is_loopback

HERE = "127.0.0.1"
NAME = "collector.example"


class Proxy(ThreadingHTTPServer):
    """Forwards http, tunnels https, all to this machine; `asked` holds each request's line and Proxy-Authorization."""

    daemon_threads = True
    block_on_close = True

    def __init__(self) -> None:
        super().__init__((HERE, 0), _Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.refuses = False
        self.url = f"http://{HERE}:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_CONNECT(self) -> None:
        self.server.asked.append((f"CONNECT {self.path}", self.headers.get("Proxy-Authorization")))
        if self.server.refuses:
            self.send_error(403)
            return
        port = self.path.rpartition(":")[2]
        with socket.create_connection((HERE, int(port)), PATIENCE) as far:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: far, far: self.connection}
            while ready := select.select(list(ends), [], [], PATIENCE)[0]:
                for end in ready:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    ends[end].sendall(data)

    def do_POST(self) -> None:
        self.server.asked.append((f"POST {self.path}", self.headers.get("Proxy-Authorization")))
        if self.server.refuses:
            self.send_error(403)
            return
        far, body = urlsplit(self.path), self.rfile.read(int(self.headers["Content-Length"]))
        kept = [f"{name}: {value}" for name, value in self.headers.items() if not name.startswith("Proxy-")]
        with socket.create_connection((HERE, far.port or 80), PATIENCE) as sock:
            head = "\r\n".join([f"POST {far.path} HTTP/1.1", *kept, "Connection: close", "", ""])
            sock.sendall(head.encode() + body)
            sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(1 << 16):
                self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def proxying() -> Iterator[Proxy]:
    with Proxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxying() as proxy:
        yield proxy


@pytest.fixture
def collector() -> Iterator[Collector]:
    with serving(Collector(accepts)) as collector:
        yield collector


def delivered(node: Node, collector: Collector) -> None:
    node.reached(lambda state: state.sent_total == 1)
    assert collector.taken == [1]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_http_goes_through_the_proxy(
    tmp_path: Path, proxy: Proxy, collector: Collector, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    endpoint = Endpoint(f"http://{NAME}:{collector.port}/v1/logs")
    with living(tmp_path / "spool.db", endpoint, events=1) as node:
        delivered(node, collector)
    assert [line for line, _ in proxy.asked] == [f"POST {endpoint.url}"]


def test_https_goes_through_a_tunnel_and_the_collector_s_certificate_counts(
    tmp_path: Path,
    proxy: Proxy,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    authority = Authority(tmp_path / "ca")
    collector.context = authority.context(authority.issue("collector", san=f"DNS:{NAME}"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://somebody:s3cret@"))
    endpoint = Endpoint(f"https://{NAME}:{collector.port}/v1/logs", ca_file=authority.cert)
    with living(tmp_path / "spool.db", endpoint, events=1) as node:
        delivered(node, collector)
    login = base64.b64encode(b"somebody:s3cret").decode()
    assert proxy.asked == [(f"CONNECT {NAME}:{collector.port}", f"Basic {login}")]
    assert "Proxy-Authorization" not in collector.heard[0][1]
    assert "s3cret" not in caplog.text


def test_no_proxy_names_who_is_reached_without(
    tmp_path: Path, proxy: Proxy, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", f"example.com,{NAME}")
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more: real(HERE if host == NAME else host, *more))
    endpoint = Endpoint(f"http://{NAME}:{collector.port}/v1/logs")
    with living(tmp_path / "spool.db", endpoint, events=1) as node:
        delivered(node, collector)
    assert proxy.asked == []


def test_what_is_for_this_node_never_goes_through_a_proxy(
    tmp_path: Path, proxy: Proxy, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("ALL_PROXY", proxy.url)
    embedded = inside(Config(), f"http://{HERE}:{collector.port}/", "sesame")
    named = Endpoint(f"http://localhost:{collector.port}/v1/logs")
    assert embedded is not None
    with living(tmp_path / "spool.db", embedded, events=1) as node:
        delivered(node, collector)
        node.sender.use(named)
        node.event()
        node.reached(lambda state: state.sent_total == 2)
    assert [headers["Host"] for _, headers, _ in collector.heard] == [
        f"127.0.0.1:{collector.port}",
        f"localhost:{collector.port}",
    ]
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("url", "stays"),
    [
        ("http://localhost:4318/v1/logs", True),
        ("https://LOCALHOST/", True),
        ("http://127.0.0.1:4318/v1/logs", True),
        ("http://127.9.8.7/", True),
        ("https://[::1]:4318/", True),
        ("http://collector:4318/", False),
        ("http://localhost.example/", False),
        ("http://127.0.0.1.example/", False),
        ("http://10.0.0.1/", False),
        ("http://[fe80::1]/", False),
    ],
)
def test_loopback_is_what_go_takes_for_it(url: str, stays: bool) -> None:
    assert is_loopback(url) is stays


def test_a_proxy_that_refuses_is_named_and_its_password_is_not(
    tmp_path: Path,
    proxy: Proxy,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy.refuses = True
    authority = Authority(tmp_path / "ca")
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://somebody:s3cret@"))
    endpoint = Endpoint(f"https://{NAME}:{collector.port}/v1/logs", ca_file=authority.cert)
    with living(tmp_path / "spool.db", endpoint, events=1) as node:
        assert node.naps.next() == 12.0
        assert node.failures() == {"proxy": 1}
        assert (
            "proxy; the proxy refused, or is no HTTP proxy: check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY"
            in caplog.text
        )
    assert "s3cret" not in caplog.text
    assert collector.heard == []


def test_a_proxy_that_never_answers_ends_with_the_attempt(
    tmp_path: Path, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{silent.getsockname()[1]}")
        endpoint = Endpoint(f"https://{NAME}:{collector.port}/v1/logs", timeout_seconds=0.3)
        with living(tmp_path / "spool.db", endpoint, events=1) as node:
            assert node.naps.next() == 12.0
            assert node.failures() == {"timeout": 1}
