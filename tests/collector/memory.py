"""What is small on the wire and many times that once it is decoded or shown, four of each at once."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from kmsg_exporter.collector.body import MAX_BODY_BYTES
from kmsg_exporter.collector.connections import MAX_TLS_CONNECTIONS
from kmsg_exporter.collector.weight import MAX_VALUES

AT_ONCE: Final = 4
PEAK_MIB: Final = 200  # of the 256 that the chart allows; it starts with some 50
SLOW: Final = 200
RECORDS: Final = ('{"resourceLogs":[{"scopeLogs":[{"logRecords":[', "]}]}]}")
SCOPES: Final = ('{"resourceLogs":[{"scopeLogs":[', "]}]}")
VALUES: Final = (
    '{"resourceLogs":[{"resource":{"attributes":[{"key":"a","value":{"arrayValue":{"values":[',
    "]}}}]}}]}",
)
ANYTHING: Final = ('{"x":[', "]}")
NAMED: Final = '{"eventName":"kmsg.emptied","attributes":[{"key":"log.record.uid","value":{"stringValue":"%x"}}]}'


def filled(around: tuple[str, str], piece: str, count: int | None = None) -> bytes:
    """As many of a piece as a body may have, else `count`; each may have a number in it."""
    head, tail = around
    if count is None:
        count = (MAX_BODY_BYTES - len(head) - len(tail)) // (len(piece.encode()) + 1)
    pieces = ",".join(piece % number if "%" in piece else piece for number in range(count))
    return f"{head}{pieces}{tail}".encode()


def most(around: tuple[str, str], piece: str) -> bytes:
    """As many as have fewer values than are too many."""
    return filled(around, piece, (MAX_VALUES - 100) // (1 + piece.count(",") + piece.count("{") + piece.count("[")))


def repeated() -> bytes:
    """A resource of a hundred KB that tens of thousands of small events have in common."""
    attributes = filled(('{"resourceLogs":[{"resource":{"attributes":[', ']},"scopeLogs":['), '{"key":"%x"}', 9_000)
    return attributes + filled(('{"logRecords":[', "]}]}]}"), NAMED, 25_000)


BODIES: Final[Mapping[str, Callable[[], bytes]]] = {
    "empty records": lambda: filled(RECORDS, "{}"),
    "empty scopes": lambda: filled(SCOPES, "{}"),
    "empty values": lambda: filled(VALUES, "{}"),
    "arrays of arrays": lambda: filled(ANYTHING, "[[[[[[[[]]]]]]]]"),
    "objects of objects": lambda: filled(ANYTHING, '{"":{"":{"":{}}}}'),
    "many short texts": lambda: filled(ANYTHING, '"\u0100"'),
    "just as many records": lambda: most(RECORDS, "{}"),
    "just as many values": lambda: most(VALUES, '{"intValue":1}'),
    "just as many arrays": lambda: most(ANYTHING, "[[[[[[[[]]]]]]]]"),
    "just as many objects": lambda: most(ANYTHING, '{"":{"":{"":{}}}}'),
    "just as many texts": lambda: most(ANYTHING, '"\u0100"'),
    "many keys": lambda: filled(("{", "}"), '"%x":{"":0}', 170_000),
    "large integers": lambda: filled(ANYTHING, "9" * 4_000),
    "one long text": lambda: filled(("{", "}"), f'"x":"\U0001f600{"a" * (MAX_BODY_BYTES - 100)}"', 1),
    "one long body of a record": lambda: filled(
        RECORDS, f'{{"body":{{"stringValue":"\U0001f600{"a" * (MAX_BODY_BYTES - 100)}"}}}}', 1
    ),
    "hellos": lambda: filled(SCOPES, '{"scope":{"attributes":[{"key":"kmsg.sequence"}]}}'),
    "a resource repeated": repeated,
    "small events": lambda: filled(RECORDS, NAMED, 38_000),
}


@pytest.fixture(scope="module")
def packed() -> dict[str, bytes]:
    return {name: gzip.compress(made()[:MAX_BODY_BYTES], 1) for name, made in BODIES.items()}


def listed(kind: str) -> dict[str, Any]:
    """An event as large as one may be, which is many times that where it is taken apart or shown."""
    value = {
        "ancestors": {"arrayValue": {"values": [{"stringValue": "a"}] * 60_000}},
        "lists": {"arrayValue": {"values": [{"arrayValue": {"values": []}}] * 60_000}},
        "text": {"stringValue": "\U0001f600" + '"' * 100_000},
        "plain": {"stringValue": "a" * 240_000},
    }[kind]
    return {
        "eventName": "kmsg.emptied",
        "attributes": [{"key": "kmsg.process.ancestors" if kind == "ancestors" else "a", "value": value}],
    }


def test_what_is_shown_of_large_events_takes_no_more_either(start: Any) -> None:
    collector = start()
    peaks: dict[tuple[str, str], float] = {}
    with ThreadPoolExecutor(AT_ONCE) as readers:
        for kind in ("ancestors", "lists", "text"):
            for number in range(20):
                record = listed(kind)
                uid = {"key": "log.record.uid", "value": {"stringValue": f"{kind}-{number}"}}
                record["attributes"].append(uid)
                sent = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
                status, _, answer = collector.post(gzip.compress(sent.encode()), Content_Encoding="gzip")
                assert (status, answer) == (200, b"{}")
            for path in ("/api/events?limit=500", "/api/events?limit=500&arrived_after=0", "/?since=all"):
                for status, _ in readers.map(collector.get, [path] * 2 * AT_ONCE):
                    assert status == 200
                peaks[kind, path] = collector.peak_mib
    assert max(peaks.values()) < PEAK_MIB, peaks


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_answers_that_nobody_takes_take_no_more_than_the_chart_allows(
    start: Any, body: Any, certificate: ssl.SSLContext, tmp_path: Path, tls: bool
) -> None:
    collector = start(f"--web.config.file={tmp_path}/web.yaml", context=certificate) if tls else start()
    for number in range(20):
        record = listed("plain")
        record["attributes"].append({"key": "log.record.uid", "value": {"stringValue": f"{number}"}})
        assert (
            collector.post(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode())[0] == 200
        )
    with ExitStack() as slow:
        for _ in range(SLOW):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.settimeout(30)
            client.connect(("127.0.0.1", collector.port))
            client = slow.enter_context(certificate.wrap_socket(client, server_hostname="127.0.0.1") if tls else client)
            client.sendall(b"GET /api/events?limit=500 HTTP/1.1\r\nHost: collector\r\n\r\n")
            client.recv(1)  # it is on its way
        assert collector.post(body("late"))[0] == 200
        assert len(collector.get("/api/events?limit=500")[1]) > 3 << 20
        evicted = collector.value('kmsg_collector_connections_closed_total{reason="evicted"}')
    assert collector.peak_mib < PEAK_MIB, (collector.peak_mib, evicted)
    assert 0 < evicted < SLOW


def test_what_comes_without_a_token_takes_no_more_either(start: Any, tmp_path: Path) -> None:
    """Questions in a row, and behind them most of a body: all of it is refused, and its connection stays."""
    token = hashlib.sha256(b"known").hexdigest()
    (tmp_path / "web.yaml").write_text(f"bearer_tokens: {{fleet: 'sha256:{token}'}}\n")
    collector = start(f"--web.config.file={tmp_path}/web.yaml")
    questions = b"GET / HTTP/1.1\r\nHost: collector\r\n\r\n" * 14
    sent = b"POST /v1/logs HTTP/1.1\r\nHost: collector\r\nContent-Length: 4000000\r\n\r\n" + b"x" * 3_000_000
    with ExitStack() as clients:
        for _ in range(SLOW):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", collector.port), timeout=30))
            client.sendall(questions)
            client.settimeout(0.1)
            with suppress(TimeoutError):
                client.sendall(sent)
        assert collector.peak_mib < PEAK_MIB


def test_connections_with_tls_take_no_more_however_many_there_are(
    start: Any, certificate: ssl.SSLContext, tmp_path: Path
) -> None:
    collector = start(f"--web.config.file={tmp_path}/web.yaml", context=certificate)
    sent = b"POST /nothing HTTP/1.1\r\nHost: collector\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
    with ExitStack() as clients:
        for _ in range(2 * MAX_TLS_CONNECTIONS):
            client = socket.create_connection(("127.0.0.1", collector.port), timeout=30)
            client = clients.enter_context(certificate.wrap_socket(client, server_hostname="127.0.0.1"))
            client.sendall(sent)
            client.recv(1)
        held = collector.value("kmsg_collector_connections")
    assert (held, collector.peak_mib < PEAK_MIB) == (MAX_TLS_CONNECTIONS, True), collector.peak_mib


def test_what_is_counted_of_long_names_and_shown_of_many_lines_takes_no_more_either(start: Any) -> None:
    collector = start()
    for first in range(0, 6_000, 40):
        records = [
            {
                "eventName": "kmsg.emptied",
                "attributes": [
                    {"key": "log.record.uid", "value": {"stringValue": f"exe-{number}"}},
                    {"key": "process.executable.path", "value": {"stringValue": f"/\U0001f600{number}{'a' * 4_080}"}},
                ],
            }
            for number in range(first, first + 40)
        ]
        assert (
            collector.post(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode())[0] == 200
        )
    for number in range(30):
        sample = "\x85" * 120_000 if number % 2 else "\n" * 120_000
        record = {
            "eventName": "kmsg.emptied",
            "attributes": [
                {"key": "log.record.uid", "value": {"stringValue": f"lines-{number}"}},
                {"key": "kmsg.hidden.sample", "value": {"stringValue": sample}},
            ],
        }
        assert (
            collector.post(json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode())[0] == 200
        )
    peaks = {}
    with ThreadPoolExecutor(AT_ONCE) as readers:
        for path in ("/?since=all", "/events/lines-0"):
            for status, _ in readers.map(collector.get, [path] * AT_ONCE):
                assert status == 200
            peaks[path] = collector.peak_mib
    assert max(peaks.values()) < PEAK_MIB, peaks


def test_hostile_bodies_take_no_more_memory_than_the_chart_allows(start: Any, body: Any, packed: Any) -> None:
    collector = start()
    peaks: dict[str, float] = {}
    with ThreadPoolExecutor(AT_ONCE) as senders:
        for name, sent in packed.items():
            list(senders.map(lambda sent: collector.post(sent, Content_Encoding="gzip"), [sent] * AT_ONCE))
            peaks[name] = collector.peak_mib
    assert collector.post(body("late"))[0] == 200
    assert max(peaks.values()) < PEAK_MIB, peaks
