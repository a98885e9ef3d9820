"""What the text of an option may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.config import OPTIONS, Address, Option

BY_NAME = {option.name: option for option in OPTIONS}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("web.listen-address", ":10144", Address("", 10144)),
        ("web.listen-address", "127.0.0.1:0", Address("127.0.0.1", 0)),
        ("web.listen-address", "localhost:65535", Address("localhost", 65535)),
        ("web.listen-address", "node-7.example.com:1", Address("node-7.example.com", 1)),
        ("web.listen-address", "[::1]:80", Address("::1", 80)),
        ("web.listen-address", "[fe80::1%eth0]:80", Address("fe80::1%eth0", 80)),
        ("push.endpoint", "", None),
        ("push.endpoint", "http://collector:4318", "http://collector:4318/v1/logs"),
        ("push.endpoint", "https://collector/tenant/", "https://collector/tenant/v1/logs"),
        ("push.endpoint", "http://[::1]:4318/v1/logs", "http://[::1]:4318/v1/logs"),
        ("push.sample", "0", 0),
        ("push.sample", "errors", "errors"),
        ("push.spool-bytes", "1048576", 1048576),
        ("push.spool-bytes", "65536KiB", 67108864),
        ("push.spool-bytes", "2GiB", 2147483648),
        ("push.timeout-seconds", "0.5", 0.5),
        ("readers.scan-interval-seconds", "60", 60.0),
        ("web.telemetry-path", "/node/metrics", "/node/metrics"),
        ("cluster.name", "", None),
    ],
)
def test_accepted(name: str, text: str, value: object) -> None:
    assert BY_NAME[name].kind.read(text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *[
            ("web.listen-address", text)
            for text in (
                "",
                "10144",
                ":",
                ":65536",
                ":-1",
                "::1:80",
                "[::1]",
                "[x]:80",
                "300.1.1.1:80",
                "a b:80",
                "-:1",
            )
        ],
        *[("web.listen-address", text) for text in ("http://x:80", "127.0.0.1:80,:81", "1.2.3:80", "[]:80", ":٣")],
        *[
            ("push.endpoint", text)
            for text in (
                "collector:4318",
                "ftp://x",
                "http://",
                "http://:80",
                "http://x:0",
                "http://x:99999",
                "http://x?a",
                "http://x#a",
                "http://x y",
                "http://x\n",
                "http://[::1",
            )
        ],
        *[("push.sample", text) for text in ("", "-1", "1001", "Errors", "5.5")],
        *[
            ("push.spool-bytes", text)
            for text in ("", "64", "64MB", "64 MiB", "2048GiB", "-1MiB", "1.5GiB", "9" * 5000)
        ],
        *[("push.timeout-seconds", text) for text in ("0", "nan", "inf", "-1", "1e1", "301", "9" * 5000)],
        *[("trace.budget-mib", text) for text in ("0", "16MiB", "4097", " 16", "+1", "1_0", "٣")],
        *[("push.redact", text) for text in ("", "(", "a*", "(a|)", "(?P<x", "a{99999999999}")],
        *[("web.telemetry-path", text) for text in ("", "metrics", "/", "/-/ready", "//x", "/a?b", "/a b", "/é")],
        *[("node.name", text) for text in ("", "a\x00", "\udcff", "x" * 254)],
        *[("state-directory", text) for text in ("", "a\0b")],
        *[("push.command-args", text) for text in ("", "on", "2", "y")],
        ("expected", "dmesg"),
    ],
)
def test_refused_with_what_must_be(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"^must be "):
        BY_NAME[name].kind.read(text)


def test_what_a_port_may_be_is_said() -> None:
    with pytest.raises(ValueError, match=r"^must be HOST:PORT, \[IPv6\]:PORT or :PORT, with a port of at most 65535$"):
        BY_NAME["web.listen-address"].kind.read(":99999")


@given(st.sampled_from(OPTIONS), st.text())
def test_any_text_is_a_value_or_what_must_be(option: Option, text: str) -> None:
    complaint = "must be "
    try:
        option.kind.read(text)
    except ValueError as exc:
        complaint = str(exc)
    assert complaint.startswith("must be ")


@pytest.mark.parametrize("text", [":1", "127.0.0.1:2", "[::1]:3", "localhost:4"])
def test_an_address_prints_as_it_was_written(text: str) -> None:
    assert str(BY_NAME["web.listen-address"].kind.read(text)) == text
