"""The web server behind a web configuration file, over real TLS."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import bcrypt
import pytest

from kmsg_exporter.errors import ConfigError
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.metrics.web import WebServer
from kmsg_exporter.model import Observation
from kmsg_exporter.webconfig import Guard, guard

SECONDS = 30.0
Serve = Callable[[str], WebServer]
RIGHT = {"Authorization": "Basic " + base64.b64encode(b"me:right").decode()}
WRONG = {"Authorization": "Basic " + base64.b64encode(b"me:wrong").decode()}
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
MUTUAL = (
    "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: CA_FILE, "
    "client_auth_type: RequireAndVerifyClientCert}\n"
)


@pytest.fixture
def serve(tmp_path: Path, authority: Path) -> Iterator[Serve]:
    with contextlib.ExitStack() as stack:

        def make(text: str) -> WebServer:
            (tmp_path / "web.yaml").write_text(text.replace("CA_FILE", str(authority / "ca.crt")))
            server = WebServer(
                [("127.0.0.1", 0)],
                totals=Totals(512),
                observe=lambda: Observation("state", ready=True),
                version="0.1.0",
                guard=Guard(tmp_path / "web.yaml"),
            )
            return stack.enter_context(server)

        yield make


def trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority / "ca.crt")


def get(
    server: WebServer,
    path: str = "/metrics",
    *,
    context: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, http.client.HTTPMessage]:
    host, port = server.addresses[0]
    connection = (
        http.client.HTTPConnection(host, port, timeout=SECONDS)
        if context is None
        else http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
    )
    with contextlib.closing(connection):
        connection.request("GET", path, headers=dict(headers or {}))
        response = connection.getresponse()
        response.read()
        return response.status, response.headers


def shown(server: WebServer, context: ssl.SSLContext) -> str:
    """The serial number of the certificate that the server shows."""
    with (
        socket.create_connection(server.addresses[0], timeout=SECONDS) as sock,
        context.wrap_socket(sock, server_hostname="127.0.0.1") as secured,
    ):
        certificate = secured.getpeercert()
    assert certificate is not None
    return str(certificate["serialNumber"])


def test_metrics_are_served_over_tls(serve: Serve, issue: Callable[[str], None], authority: Path) -> None:
    issue("server")
    server = serve(TLS)
    assert get(server, context=trusting(authority))[0] == 200


def test_a_client_that_never_shakes_hands_keeps_nobody_waiting(
    serve: Serve, issue: Callable[[str], None], authority: Path
) -> None:
    issue("server")
    server = serve(TLS)
    with contextlib.ExitStack() as silent:
        for _ in range(20):
            silent.enter_context(socket.create_connection(server.addresses[0]))
        assert get(server, context=trusting(authority))[0] == 200


def test_plain_http_to_a_tls_port_is_closed(serve: Serve, issue: Callable[[str], None]) -> None:
    issue("server")
    server = serve(TLS)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        get(server)


def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(
    serve: Serve, issue: Callable[[str], None], authority: Path, tmp_path: Path
) -> None:
    issue("server")
    issue("client")
    server = serve(MUTUAL)
    context = trusting(authority)
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        get(server, context=context)
    context.load_cert_chain(tmp_path / "client.crt", tmp_path / "client.key")
    assert get(server, context=context)[0] == 200


def test_a_renewed_certificate_is_shown_to_the_next_client(
    serve: Serve, issue: Callable[[str], None], authority: Path
) -> None:
    issue("server")
    server = serve(TLS)
    before = shown(server, trusting(authority))
    issue("server")
    assert shown(server, trusting(authority)) != before


def test_while_a_renewed_certificate_is_wrong_the_old_one_is_shown(
    serve: Serve, issue: Callable[[str], None], authority: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    issue("server")
    server = serve(TLS)
    before = shown(server, trusting(authority))
    (tmp_path / "server.crt").write_text("half a file")
    assert shown(server, trusting(authority)) == before
    assert shown(server, trusting(authority)) == before
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(said) == 1
    assert said[0].startswith(f"{tmp_path}/web.yaml: tls_server_config: {tmp_path}/server.crt: ")
    assert said[0].endswith("; what was there before goes on to hold")


def users() -> str:
    return f"basic_auth_users: {{me: {bcrypt.hashpw(b'right', bcrypt.gensalt(4)).decode()}}}\n"


@pytest.mark.parametrize("path", ["/metrics", "/"])
def test_who_has_no_password_is_told_that_one_is_needed(serve: Serve, path: str) -> None:
    server = serve(users())
    for headers in (None, WRONG):
        status, answered = get(server, path, headers=headers)
        assert (status, answered["WWW-Authenticate"]) == (401, 'Basic realm="kmsg_exporter"')
    assert get(server, path, headers=RIGHT)[0] == 200


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_probes_need_no_password(serve: Serve, path: str) -> None:
    assert get(serve(users()), path)[0] == 200


def test_a_changed_password_counts_at_once(serve: Serve, tmp_path: Path) -> None:
    server = serve(users())
    assert get(server, headers=RIGHT)[0] == 200
    fresh = tmp_path / "fresh"
    fresh.write_text(f"basic_auth_users: {{me: {bcrypt.hashpw(b'other', bcrypt.gensalt(4)).decode()}}}\n")
    fresh.replace(tmp_path / "web.yaml")
    assert get(server, headers=RIGHT)[0] == 401


@pytest.mark.parametrize("text", ["", "basic_auth_users:\n", "{}"])
def test_half_a_file_opens_nothing(serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str) -> None:
    server = serve(users())
    (tmp_path / "web.yaml").write_text(text)
    assert get(server)[0] == 401
    assert get(server, headers=RIGHT)[0] == 200
    assert [record.levelname for record in caplog.records if "goes on to hold" in record.message] == ["ERROR"]


def test_a_certificate_that_comes_later_than_its_name_is_shown(
    serve: Serve, issue: Callable[[str], None], authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue("server")
    server = serve(TLS)
    before = shown(server, trusting(authority))
    (tmp_path / "web.yaml").write_text(TLS.replace("server.", "later."))
    assert shown(server, trusting(authority)) == before
    issue("later")
    monkeypatch.setattr(guard, "_RETRY_SECONDS", 0.0)
    (tmp_path / "web.yaml").touch()
    assert shown(server, trusting(authority)) != before


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=rf"^{tmp_path}/web.yaml can't be read: No such file or directory: --web.config.file or --c"
    ):
        Guard(tmp_path / "web.yaml")


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, issue: Callable[[str], None]) -> None:
    issue("server")
    issue("other")
    (tmp_path / "web.yaml").write_text("tls_server_config: {cert_file: server.crt, key_file: other.key}")
    with pytest.raises(ConfigError, match="key values mismatch"):
        Guard(tmp_path / "web.yaml")


TOKEN = f"bearer_tokens: {{scraper: 'sha256:{hashlib.sha256(b'random').hexdigest()}'}}\n"


def test_a_token_opens_the_agents_web_server_too(serve: Serve) -> None:
    server = serve(TOKEN)
    status, answered = get(server)
    assert (status, answered["WWW-Authenticate"]) == (401, 'Bearer realm="kmsg_exporter"')
    assert get(server, headers=RIGHT)[0] == 401
    assert get(server, headers={"Authorization": "Bearer random"})[0] == 200


def test_a_password_or_a_token_is_enough_where_both_are_known(serve: Serve) -> None:
    server = serve(users() + TOKEN)
    assert [get(server, headers=one)[0] for one in (RIGHT, {"Authorization": "Bearer random"}, WRONG)] == [
        200,
        200,
        401,
    ]


@pytest.mark.parametrize(("before", "after"), [(MUTUAL, TLS), (MUTUAL + TOKEN, MUTUAL), (TLS, "{}")])
def test_a_changed_file_that_asks_for_less_counts_only_after_a_restart(
    issue: Callable[[str], None],
    authority: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    before: str,
    after: str,
) -> None:
    issue("server")
    file = tmp_path / "web.yaml"
    file.write_text(before.replace("CA_FILE", str(authority / "ca.crt")))
    guarded = Guard(file)
    was = guarded.closed, guarded.challenges(), guarded.context()
    file.write_text(after.replace("CA_FILE", str(authority / "ca.crt")))
    assert (guarded.closed, guarded.challenges(), guarded.context()) == was
    assert [record.getMessage() for record in caplog.records] == [
        f"{file}: would open what is closed now: that takes a restart; what was there before goes on to hold"
    ]


def test_a_token_may_take_the_place_of_a_password(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(users())
    guarded = Guard(file)
    file.write_text(TOKEN)
    assert guarded.challenges() == ('Bearer realm="kmsg_exporter"',)
