"""Where events go: the collector's address and how to talk to it, from a flag and the OTEL_* environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self, cast
from urllib.parse import SplitResult, urlsplit

from kmsg_exporter.errors import ConfigError
from kmsg_exporter.push.resource import pairs
from kmsg_exporter.push.secret import HEADER_NAME

Compression = Literal["gzip", "none"]
_PREFIXES = ("OTEL_EXPORTER_OTLP_LOGS_", "OTEL_EXPORTER_OTLP_")
_LOGS_PATH = "/v1/logs"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`url` is the whole address of the logs endpoint; `headers` may hold secrets and show nowhere.

    What the files hold wins over `headers`.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_seconds: float = 10.0
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = field(default=None, repr=False)
    compression: Compression = "gzip"
    headers_file: Path | None = None
    bearer_token_file: Path | None = None
    name: str = ""
    """What it is called where its address would tell nobody anything."""

    def __str__(self) -> str:
        """Its name, or the address without what may be a secret in it (user, password, query)."""
        return self.name or _shown(self.url)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], flag_url: str | None = None) -> Self | None:
        """The endpoint, or None when none is named: events stay on this node.

        The flag wins over OTEL_EXPORTER_OTLP_LOGS_*, that over OTEL_EXPORTER_OTLP_*. `/v1/logs` is appended to
        all but OTEL_EXPORTER_OTLP_LOGS_ENDPOINT. Raises ConfigError naming the variable, its value and what is
        allowed; header values are never repeated.
        """
        url = _url(environ, flag_url)
        if url is None:
            return None
        name, protocol = _variable(environ, "PROTOCOL", "http/json")
        if protocol != "http/json":
            raise ConfigError(f"{name}={protocol}: this agent speaks http/json only; unset it or set it to http/json")
        name, compression = _variable(environ, "COMPRESSION", "gzip")
        if compression not in ("gzip", "none"):
            raise ConfigError(f"{name}={compression}: allowed are gzip and none")
        name, timeout = _variable(environ, "TIMEOUT", "10000")
        if not (timeout.isascii() and timeout.isdigit() and len(timeout) < 10 and 0 < int(timeout) <= 3_600_000):
            raise ConfigError(f"{name}={timeout}: allowed are 1 to 3600000 milliseconds")
        return cls(
            url=url,
            headers=_headers(*_variable(environ, "HEADERS", "")),
            timeout_seconds=int(timeout) / 1000,
            ca_file=_path(environ, "CERTIFICATE"),
            client_cert=_path(environ, "CLIENT_CERTIFICATE"),
            client_key=_path(environ, "CLIENT_KEY"),
            compression=cast(Compression, compression),
        )


def _variable(environ: Mapping[str, str], name: str, default: str) -> tuple[str, str]:
    """The variable that counts, by name, and its value; an empty one counts as unset, as OpenTelemetry has it."""
    for prefix in _PREFIXES:
        if value := environ.get(prefix + name, "").strip():
            return prefix + name, value
    return _PREFIXES[-1] + name, default


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    value = _variable(environ, name, "")[1]
    return Path(value) if value else None


def _url(environ: Mapping[str, str], flag_url: str | None) -> str | None:
    name, url = ("--push.endpoint", flag_url) if flag_url else _variable(environ, "ENDPOINT", "")
    if not url:
        return None
    parts = _checked(name, url)
    if name == "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT":
        return url
    return parts._replace(path=parts.path.rstrip("/").removesuffix(_LOGS_PATH) + _LOGS_PATH).geturl()


def _checked(name: str, url: str) -> SplitResult:
    """Raises ConfigError when it is no http(s) address or carries a password."""
    allowed = "allowed is http://HOST[:PORT][/PATH] or https://..., e.g. http://collector:4318"
    try:
        parts = urlsplit(url)
        port_is_bad = parts.port == 0
    except ValueError:  # its text may repeat a password
        raise ConfigError(f"{name}: not an address; {allowed}") from None
    if "@" in (parts.netloc or url):
        raise ConfigError(
            f"{name}: user and password do not belong into the address, where process lists show them; "
            "put them into OTEL_EXPORTER_OTLP_HEADERS as authorization=Basic%20..., or into --push.headers-file"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or port_is_bad or not url.isprintable():
        raise ConfigError(f"{name}={_shown(url)}: {allowed}")
    return parts


def _headers(name: str, text: str) -> dict[str, str]:
    headers = {header: value.strip() for header, value in pairs(name, text).items()}
    for number, (header, value) in enumerate(headers.items(), start=1):
        if not HEADER_NAME.fullmatch(header):  # it is not repeated: who took ":" for "=" has a secret in it
            raise ConfigError(f"{name}: the name of header {number} is none; allowed is name=value,...")
        if not value.isprintable() or not value.isascii() or not value:
            raise ConfigError(f"{name}: the value of {header} is not printable ASCII; allowed is name=value,...")
    return headers


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
