"""The web configuration file and the Authorization header: rules, or a typed error."""

from __future__ import annotations

from pathlib import Path

import frames
from target import Target

from kmsg_exporter.errors import ConfigError
from kmsg_exporter.webconfig.file import parse
from kmsg_exporter.webconfig.password import Passwords

_HASH = "$2b$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"  # of U*U


def one(data: bytes) -> None:
    text, *headers = frames.split(data) or [b""]
    try:
        config = parse(text.decode("utf-8", "replace"), Path("/etc/web.yaml"))
    except ConfigError as exc:
        where = str(exc).partition(": ")[0]
    else:
        where = "/etc/web.yaml"
        assert all(len(known) == 60 and known.startswith(b"$2") for known in config.users.values())
        if config.tls is not None:
            assert config.tls.min_version in ("TLS12", "TLS13")
            assert config.tls.cert_file.is_absolute()
    assert where == "/etc/web.yaml"
    passwords = Passwords({"ann": _HASH.encode()})
    for header in headers[:2]:
        assert passwords.allow(header.decode("latin-1")) in (True, False)


TARGET = Target(
    one,
    seeds=(
        frames.join((f"basic_auth_users:\n  ann: {_HASH}\n".encode(), b"Basic YW5uOlUqVQ==", b"Bearer x")),
        frames.join((b"tls_server_config: {cert_file: a.pem, key_file: /k.pem, min_version: TLS13}\n", b"basic YTpi")),
        frames.join((b"tls_server_config:\n  client_auth_type: 12:30:45.6\n  ? [2001-12-14t21:59:43.10-05:00]\n",)),
    ),
    words=(
        b"!!int ",
        b"!!float ",
        b"!!binary ",
        b"!!timestamp ",
        b"''",
        b":0",
        b"<<: ",
        b"&a ",
        b"*a",
        b"2001-01-01",
        b"0x",
    ),
    mutate=frames.mutator(frames.changed),
)
