"""exporter-toolkit's file: what is understood, and what is refused by name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.errors import ConfigError
from kmsg_exporter.webconfig.file import TlsFiles, WebConfig, parse

PATH = Path("/etc/kmsg-exporter/web.yaml")
HASH = "$2y$10$" + "a" * 53
TLS = "tls_server_config: {cert_file: a.crt, key_file: /keys/a.key"


def test_empty_file_asks_for_nothing() -> None:
    assert parse("", PATH) == WebConfig()


def test_files_are_relative_to_the_file_that_names_them() -> None:
    expected = TlsFiles(Path("/etc/kmsg-exporter/a.crt"), Path("/keys/a.key"))
    assert parse(f"{TLS}}}", PATH) == WebConfig(tls=expected)


def test_clients_are_asked_for_a_certificate() -> None:
    text = f"{TLS}, client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert, min_version: TLS13}}"
    tls = parse(text, PATH).tls
    assert tls is not None
    assert (tls.client_ca_file, tls.min_version) == (Path("/etc/kmsg-exporter/ca.crt"), "TLS13")


def test_users_have_hashes() -> None:
    assert parse(f"basic_auth_users: {{prometheus: {HASH}}}", PATH).users == {"prometheus": HASH.encode()}


def test_tokens_have_hashes() -> None:
    parsed = parse(f"bearer_tokens: {{fleet: 'sha256:{'0f' * 32}'}}", PATH)
    assert parsed.tokens == {"fleet": b"\x0f" * 32}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tls: {}", "all of it: 'tls' is no key of it: known are tls_server_config, basic_auth_users, bearer_tokens"),
        (
            "bearer_tokens: {fleet: secret}",
            "bearer_tokens: fleet: must be sha256: and the token's hash, as `printf %s TOKEN | sha256sum` prints",
        ),
        ("bearer_tokens: {fleet: 'sha256:00'}", "bearer_tokens: fleet: must be sha256: and the token's hash"),
        ("bearer_tokens: [fleet]", "bearer_tokens: must be a mapping of names"),
        ("bearer_tokens:", "bearer_tokens: has nothing in it: leave it out"),
        ("- a", "all of it: must be a mapping of names"),
        ("1: a", "all of it: must be a mapping of names"),
        ("tls_server_config: {}", "tls_server_config: needs cert_file and key_file"),
        (f"{TLS}, cipher_suites: []}}", "tls_server_config: 'cipher_suites' is no key of it: known are cert_file,"),
        (f"{TLS}, min_version: TLS10}}", "tls_server_config.min_version: 'TLS10': allowed are TLS12 and TLS13"),
        (
            f"{TLS}, client_auth_type: RequestClientCert}}",
            "tls_server_config.client_auth_type: 'RequestClientCert': allowed are NoClientCert and RequireAndVerifyCli",
        ),
        (f"{TLS}, client_ca_file: ca.crt}}", "tls_server_config: client_auth_type RequireAndVerifyClientCert and clie"),
        (
            "tls_server_config: {cert_file: 7, key_file: b}",
            "tls_server_config.cert_file: 7: must be the path of a file",
        ),
        (
            "basic_auth_users: {me: secret}",
            "basic_auth_users: me: must be a bcrypt hash, as `htpasswd -nBC 10 me` prin",
        ),
        ("basic_auth_users: [me]", "basic_auth_users: must be a mapping of names"),
        ("{", "is not YAML: while parsing a flow node"),
        ("!!int ''", "is not YAML: string index out of range"),
        ("1" + ":0" * 200 + ".0", "is not YAML: int too large to convert to float"),
    ],
)
def test_what_is_wrong_is_named(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, PATH)
    assert str(caught.value).startswith(f"/etc/kmsg-exporter/web.yaml: {reason}")


def test_a_password_is_never_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("basic_auth_users: {me: hunter2}", PATH)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        parse("bearer_tokens: {me: hunter2}", PATH)
    assert "hunter2" not in str(caught.value)


@given(text=st.text())
def test_any_text_is_a_configuration_or_an_error(text: str) -> None:
    with suppress(ConfigError):
        assert isinstance(parse(text, PATH), WebConfig)
