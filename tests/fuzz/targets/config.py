"""The configuration: files, variables and rules give a Config or one printable line that says what is wrong."""

from __future__ import annotations

from argparse import Namespace
from contextlib import suppress

import frames
from target import Target

from kmsg_exporter.config.load import load
from kmsg_exporter.config.options import OPTIONS
from kmsg_exporter.errors import ConfigError
from kmsg_exporter.expected import ExpectedRule


def one(data: bytes) -> None:
    text, *variables = frames.split(data) or [b""]
    environ = {"KMSG_EXPORTER_CONFIG_FILE": "/etc/kmsg.yaml"}
    for piece in variables:
        if piece:
            environ[OPTIONS[piece[0] % len(OPTIONS)].variable] = piece[1:].decode("utf-8", "replace")
    try:
        config = load(Namespace(), environ, read_file=lambda _path: text.decode())
    except ConfigError as exc:
        problem = str(exc)
    else:
        problem = ""
        assert config.collector_directory is not None
    assert problem.isprintable()
    with suppress(ValueError):
        rule = ExpectedRule.parse(text.decode("utf-8", "replace"))
        assert ExpectedRule.parse(str(rule)) == rule


def _place(name: str) -> bytes:
    return bytes((next(number for number, option in enumerate(OPTIONS) if option.name == name),))


TARGET = Target(
    one,
    seeds=(
        frames.join(
            (b"web:\n  listen-address: '[::1]:10144'\npush.redact: [a+, 'b']\nexpected:\n- comm=dmesg,origin=ci-*\n",)
        ),
        frames.join(
            (b"{web.max-requests: 40, push: &a {sample: errors}}", _place("push.endpoint") + b"http://c:4318/x")
        ),
        frames.join(
            (b"comm=dmesg,exe=/usr/*", _place("push.redact") + b"(a|b)+\nx{2}", _place("state-directory") + b"/x")
        ),
    ),
    words=(*(option.name.encode() for option in OPTIONS), b": ", b"\n- ", b"&a ", b"*a", b"!!int ", b"? ", b"<<: "),
    mutate=frames.mutator(frames.changed),
)
