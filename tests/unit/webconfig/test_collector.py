"""The collector behind a web configuration file, over real TLS."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import socket
import sqlite3
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import bcrypt
import pytest

from kmsg_exporter import cli
from kmsg_exporter.agent.agent import Agent
from kmsg_exporter.collector.server import CollectorServer, Settings
from kmsg_exporter.config import Config
from kmsg_exporter.errors import ConfigError
from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.webconfig import Guard

SECONDS = 30.0
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
MUTUAL = (
    "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: CA_FILE, "
    "client_auth_type: RequireAndVerifyClientCert}\n"
)
TOKEN = f"bearer_tokens: {{fleet: 'sha256:{hashlib.sha256(b'random').hexdigest()}'}}\n"
BEARER = {"Authorization": "Bearer random"}
RIGHT = {"Authorization": "Basic " + base64.b64encode(b"me:right").decode()}
WRONG = {"Authorization": "Basic " + base64.b64encode(b"me:wrong").decode()}
EMPTY = b'{"resourceLogs":[]}'


def users() -> str:
    return f"basic_auth_users: {{me: {bcrypt.hashpw(b'right', bcrypt.gensalt(4)).decode()}}}\n"


class Serve(Protocol):
    def __call__(self, text: str, host: str = ..., **settings: Any) -> CollectorServer: ...


@pytest.fixture
def serve(tmp_path: Path, authority: Path) -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def make(text: str, host: str = "127.0.0.1", **settings: Any) -> CollectorServer:
            (tmp_path / "web.yaml").write_text(text.replace("CA_FILE", str(authority / "ca.crt")))
            asked = Settings(guard=Guard(tmp_path / "web.yaml"), **settings)
            return stack.enter_context(CollectorServer(host, 0, tmp_path / "data", asked))

        yield make


def trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority / "ca.crt")


def ask(
    port: int,
    path: str = "/v1/logs",
    *,
    context: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, list[str], bytes]:
    """A POST for the write path, a GET for the others: the status, the challenges and the body."""
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        if context is None
        else http.client.HTTPSConnection("127.0.0.1", port, timeout=SECONDS, context=context)
    ) as connection:
        sent = {"Content-Type": "application/json", **(headers or {})}
        if path == "/v1/logs":
            connection.request("POST", path, EMPTY, sent)
        else:
            connection.request("GET", path, headers=sent)
        answer = connection.getresponse()
        return answer.status, answer.headers.get_all("WWW-Authenticate") or [], answer.read()


def serial(port: int, context: ssl.SSLContext) -> str:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock,
        context.wrap_socket(sock, server_hostname="127.0.0.1") as secured,
    ):
        certificate = secured.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


@pytest.mark.parametrize("path", ["/v1/logs", "/", "/api/events", "/metrics", "/nonexistent"])
def test_who_shows_nothing_or_something_wrong_is_told_what_is_asked_for(serve: Serve, path: str) -> None:
    port = serve(users() + TOKEN).port
    for headers in ({}, WRONG, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer"}, {"Authorization": "ü"}):
        status, challenges, body = ask(port, path, headers=headers)
        assert (status, challenges) == (401, ['Basic realm="kmsg_exporter"', 'Bearer realm="kmsg_exporter"'])
        assert json.loads(body)["code"] == 16
    expected = 404 if path == "/nonexistent" else 200
    assert [ask(port, path, headers=headers)[0] for headers in (RIGHT, BEARER)] == [expected, expected]


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_health_needs_no_password(serve: Serve, path: str) -> None:
    assert ask(serve(users()).port, path)[0] == 200


def test_a_token_that_was_rotated_counts_at_once(serve: Serve, tmp_path: Path) -> None:
    port = serve(TOKEN).port
    assert ask(port, headers=BEARER)[0] == 200
    fresh = tmp_path / "fresh"
    fresh.write_text(TOKEN.replace(hashlib.sha256(b"random").hexdigest(), hashlib.sha256(b"other").hexdigest()))
    fresh.replace(tmp_path / "web.yaml")
    assert ask(port, headers=BEARER)[0] == 401
    assert ask(port, headers={"Authorization": "bearer other"})[0] == 200


def test_events_and_the_page_go_over_tls(serve: Serve, issue: Callable[[str], None], authority: Path) -> None:
    issue("server")
    server = serve(TLS)
    assert server.url == f"https://127.0.0.1:{server.port}/"
    assert [ask(server.port, path, context=trusting(authority))[0] for path in ("/v1/logs", "/")] == [200, 200]


def test_plain_http_to_a_tls_port_is_closed(serve: Serve, issue: Callable[[str], None]) -> None:
    issue("server")
    port = serve(TLS).port
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(port)


def test_clients_that_never_shake_hands_keep_nobody_waiting(
    serve: Serve, issue: Callable[[str], None], authority: Path
) -> None:
    issue("server")
    port = serve(TLS).port
    with contextlib.ExitStack() as silent:
        for _ in range(20):
            silent.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert ask(port, context=trusting(authority))[0] == 200


def test_a_connection_that_can_not_be_taken_is_the_only_one(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, failures = Guard.context, list[Exception]()

    def context(self: Guard) -> ssl.SSLContext | None:
        if failures:
            raise failures.pop()
        return real(self)

    monkeypatch.setattr(Guard, "context", context)
    server = serve(TOKEN)
    failures.append(RuntimeError("of a kind that nobody foresaw"))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(server.port)
    assert ask(server.port, headers=BEARER)[0] == 200
    assert [record.getMessage() for record in caplog.records] == ["a connection could not be taken"]


def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(
    serve: Serve, issue: Callable[[str], None], authority: Path, tmp_path: Path
) -> None:
    issue("server")
    issue("client")
    port = serve(MUTUAL).port
    context = trusting(authority)
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        ask(port, context=context)
    context.load_cert_chain(tmp_path / "client.crt", tmp_path / "client.key")
    assert ask(port, context=context)[0] == 200


def test_a_renewed_certificate_is_shown_to_the_next_client(
    serve: Serve, issue: Callable[[str], None], authority: Path
) -> None:
    issue("server")
    port = serve(TLS).port
    before = serial(port, trusting(authority))
    issue("server")
    assert serial(port, trusting(authority)) != before


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
@pytest.mark.parametrize("text", ["", TLS])
def test_what_would_answer_anybody_is_refused(serve: Serve, issue: Callable[[str], None], host: str, text: str) -> None:
    issue("server")
    with pytest.raises(ConfigError) as raised:
        serve(text, host)
    shown = "[::]" if host == "::" else host
    assert str(raised.value) == (
        f"the collector would answer anybody who reaches {shown}:0: name a file with client certificates, passwords or "
        "tokens by --collector.web-config-file, listen on 127.0.0.1, or say --collector.allow-anonymous"
    )


def test_the_command_refuses_it_as_wrong_configuration_before_it_stores_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2: a service manager must not try it again and again."""
    command = ["collector", f"--collector.directory={tmp_path}/data", "--collector.listen-address=0.0.0.0:0"]
    assert cli.main(command, {}) == 2
    assert capsys.readouterr().err.startswith("kmsg-exporter: the collector would answer anybody who reaches 0.0.0.0:0")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", [TOKEN, MUTUAL])
def test_what_asks_for_something_or_was_told_to_may_listen_everywhere(
    serve: Serve, issue: Callable[[str], None], text: str
) -> None:
    issue("server")
    assert serve(text, "").running
    assert serve("", "", allow_anonymous=True).running


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_this_machine_nobody_has_to_be_asked(serve: Serve, host: str) -> None:
    assert serve("", host).running


def test_the_page_on_an_address_of_its_own_is_refused_alike(serve: Serve) -> None:
    with pytest.raises(ConfigError, match=r"would answer anybody who reaches 0\.0\.0\.0:0: "):
        serve("", page_address=("0.0.0.0", 0))


def test_a_page_on_an_address_of_its_own_is_there_alone_and_asks_the_same(serve: Serve) -> None:
    server = serve(TOKEN, page_address=("127.0.0.1", 0))
    assert server.page_address is not None
    page = server.page_address[1]
    assert server.url == f"http://127.0.0.1:{page}/"
    paths = ("/v1/logs", "/", "/api/events", "/metrics", "/-/healthy", "/-/ready")
    assert [ask(server.port, path, headers=BEARER)[0] for path in paths] == [200, 404, 404, 404, 200, 200]
    assert [ask(page, path, headers=BEARER)[0] for path in paths] == [404, 200, 200, 200, 200, 200]
    assert ask(page, "/api/events")[0] == ask(server.port)[0] == 401


def test_the_agent_in_this_process_has_a_way_of_its_own(serve: Serve, issue: Callable[[str], None]) -> None:
    """Whatever is asked of others; who does not know the token is not let in there either."""
    issue("server")
    server = serve(MUTUAL + TOKEN, inside=True)
    assert server.inside_url is not None
    inside = int(server.inside_url.rpartition(":")[2].rstrip("/"))
    known = {"Authorization": f"Bearer {server.inside_token}"}
    assert ask(inside, headers=known)[0] == 200
    assert [ask(inside, headers=headers)[0] for headers in ({}, BEARER)] == [401, 401]
    assert ask(inside, "/", headers=known)[0] == 404


def test_an_agent_with_its_own_collector_hands_its_events_over_whatever_the_environment_says(
    serve: Serve, issue: Callable[[str], None], tmp_path: Path
) -> None:
    issue("server")
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://elsewhere.example:4318",
        "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20of-another",
    }
    agent = Agent(Config(collector_embedded=True), environ)
    server = agent._collector = serve(MUTUAL + TOKEN, inside=True)
    endpoint = agent._endpoint(agent.config)
    assert endpoint is not None
    assert endpoint.url == f"{server.inside_url}v1/logs"
    assert str(endpoint) == "the embedded collector"
    assert server.inside_token not in repr(endpoint)
    delivery = Delivery(endpoint, Resource.from_environ({}, instance_id="one", host_name="node-7"))
    attributes = [{"key": "log.record.uid", "value": {"stringValue": "a"}}]
    assert delivery.post([{"eventName": "kmsg.emptied", "attributes": attributes}]) == 0
    delivery.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "data" / "events.sqlite3")) as connection:
        assert connection.execute("SELECT uid, instance FROM event").fetchall() == [("a", "one")]


def test_many_wrong_passwords_do_not_hold_up_those_who_are_known(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    port = serve(users() + TOKEN).port
    assert ask(port, headers=RIGHT)[0] == 200
    held, at_it = threading.Event(), threading.Event()

    def slow(_password: bytes, _hashed: bytes) -> bool:
        at_it.set()
        return not held.wait(SECONDS)

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    guessing = [socket.create_connection(("127.0.0.1", port), timeout=SECONDS) for _ in range(60)]
    try:
        for number, sock in enumerate(guessing):
            guess = base64.b64encode(f"me:{number}".encode()).decode()
            sock.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic {guess}\r\n\r\n".encode())
        assert at_it.wait(SECONDS)
        assert [ask(port, headers=headers)[0] for headers in (RIGHT, BEARER)] == [200, 200]
        held.set()
        assert [sock.recv(12) for sock in guessing] == [b"HTTP/1.1 401"] * 60
    finally:
        held.set()
        for sock in guessing:
            sock.close()
