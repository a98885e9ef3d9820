"""The YAML of `--web.config.file`, in exporter-toolkit's own words; `bearer_tokens` is our addition.

Source: https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md. Imports PyYAML, which only
the extra `web` brings: imported when there is a file to read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from kmsg_exporter.errors import ConfigError

_CLIENT_AUTH: Final = ("NoClientCert", "RequireAndVerifyClientCert")
_VERSIONS: Final = ("TLS12", "TLS13")
_SHA256: Final = re.compile(r"sha256:([0-9a-f]{64})")
_BCRYPT: Final = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What the server shows and whom it asks to show something. `min_version` is TLS12 or TLS13."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None
    min_version: str = "TLS12"


@dataclass(frozen=True, slots=True)
class WebConfig:
    """`users` are bcrypt hashes and `tokens` SHA-256 hashes by name; without any, nobody is asked who they are."""

    tls: TlsFiles | None = None
    users: Mapping[str, bytes] = field(default_factory=dict)
    tokens: Mapping[str, bytes] = field(default_factory=dict)


def parse(text: str, path: Path) -> WebConfig:
    """Paths in it are relative to the file's own folder. Raises ConfigError with the key, the value and what fits."""
    try:
        tree = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError, AttributeError, LookupError, ArithmeticError, TypeError) as exc:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(exc).split())}") from exc
    try:
        top = _mapping(tree, "all of it", ("tls_server_config", "basic_auth_users", "bearer_tokens"))
        tls = top.get("tls_server_config")
        for name in top:
            if top[name] is None:  # half a file, or a mistake: not "nobody is asked"
                raise ValueError(f"{name}: has nothing in it: leave it out")
        users = _mapping(top.get("basic_auth_users"), "basic_auth_users", None)
        tokens = _mapping(top.get("bearer_tokens"), "bearer_tokens", None)
        return WebConfig(
            None if tls is None else _tls(tls, path.parent),
            {name: _hash(name, users[name]) for name in users},
            {name: _token_hash(name, tokens[name]) for name in tokens},
        )
    except ValueError as exc:
        raise ConfigError(f"{path}: {exc}") from exc


def _tls(node: Any, folder: Path) -> TlsFiles:
    where = "tls_server_config"
    names = ("cert_file", "key_file", "client_ca_file", "client_auth_type", "min_version")
    tls = _mapping(node, where, names)
    files = {name: _file(f"{where}.{name}", tls.get(name), folder) for name in names[:3]}
    asked = _one_of(f"{where}.client_auth_type", tls.get("client_auth_type", "NoClientCert"), _CLIENT_AUTH)
    cert, key, authority = files.values()
    if cert is None or key is None:
        raise ValueError(f"{where}: needs cert_file and key_file")
    if (asked == "RequireAndVerifyClientCert") != (authority is not None):
        raise ValueError(f"{where}: client_auth_type RequireAndVerifyClientCert and client_ca_file need each other")
    version = _one_of(f"{where}.min_version", tls.get("min_version", "TLS12"), _VERSIONS)
    return TlsFiles(cert, key, authority, version)


def _mapping(node: Any, where: str, known: tuple[str, ...] | None) -> dict[str, Any]:
    """The mapping that stands there; nothing is an empty one. With `known`, other keys are refused."""
    if node is None:
        return {}
    if not isinstance(node, dict) or not all(isinstance(key, str) for key in node):
        raise ValueError(f"{where}: must be a mapping of names")
    for key in node:
        if known is not None and key not in known:
            raise ValueError(f"{where}: {key!r} is no key of it: known are {', '.join(known)}")
    return node


def _file(where: str, value: Any, folder: Path) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{where}: {value!r}: must be the path of a file")
    os.fsencode(value)  # ValueError
    return folder / value


def _hash(name: str, value: Any) -> bytes:
    if not isinstance(value, str) or not _BCRYPT.fullmatch(value):
        raise ValueError(f"basic_auth_users: {name}: must be a bcrypt hash, as `htpasswd -nBC 10 {name}` prints")
    return value.encode()


def _token_hash(name: str, value: Any) -> bytes:
    found = _SHA256.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(
            f"bearer_tokens: {name}: must be sha256: and the token's hash, as `printf %s TOKEN | sha256sum` prints"
        )
    return bytes.fromhex(found[1])


def _one_of(where: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{where}: {value!r}: allowed are {' and '.join(allowed)}")
    return str(value)
