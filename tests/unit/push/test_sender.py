"""The sender against a collector that misbehaves, on real sockets."""

from __future__ import annotations

import gzip
import json
import logging
import os
import queue
import random
import socket
import sqlite3
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from kmsg_exporter.agent.destination import inside
from kmsg_exporter.config import Config
from kmsg_exporter.errors import PushError
from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord, Process, PushState
from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.otlp import Json, log_record
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sender import Sender
from kmsg_exporter.push.spool import Spool, StoredEvent

PATIENCE = 20.0
RESOURCE = Resource({"service.name": "kmsg-exporter", "host.name": "node-7"})

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.put((self.path, dict(self.headers), body))
        try:
            answer = self.server.answers.get_nowait()
        except queue.Empty:
            answer = status(200)
        with suppress(OSError):
            answer(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Collector(ThreadingHTTPServer):
    """Answers 200 {} but for what `answers` holds; `heard` has path, headers and body of each request."""

    daemon_threads = True
    block_on_close = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.heard: queue.Queue[tuple[str, dict[str, str], bytes]] = queue.Queue()
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1/logs"

    def handle_error(self, request: object, client_address: object) -> None:
        pass

    def next(self) -> tuple[str, dict[str, str], bytes]:
        return self.heard.get(timeout=PATIENCE)

    def next_sequences(self) -> list[int]:
        records = json.loads(gzip.decompress(self.next()[2]))["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        return [record["sequence"] for record in records]


def status(code: int, body: bytes = b"{}", **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(code)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def reset(handler: Handler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    os.close(handler.connection.detach())


def hang(handler: Handler) -> None:
    handler.server.over.wait(PATIENCE)
    handler.close_connection = True


def garbage(handler: Handler) -> None:
    handler.wfile.write(b"\x00\xffSMTP ready\r\n\r\n")
    handler.close_connection = True


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    with suppress(OSError):
        while not handler.server.over.is_set():
            handler.wfile.write(b"x" * 65536)


def dripping(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.close_connection = True
    with suppress(OSError):
        while not handler.server.over.wait(0.02):
            handler.wfile.write(b" ")


class Naps:
    """Stands for sleep: tells how long it would be, and ends when told."""

    def __init__(self) -> None:
        self.asked: queue.Queue[float] = queue.Queue()
        self.released: queue.Queue[None] = queue.Queue()

    def __call__(self, seconds: float) -> None:
        self.asked.put(seconds)
        self.released.get(timeout=PATIENCE)

    def next(self) -> float:
        return self.asked.get(timeout=PATIENCE)

    def end(self) -> None:
        self.released.put(None)


class Upper(random.Random):
    """The longest wait that the jitter allows."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


class Node:
    """A spool and a sender on it."""

    def __init__(self, path: Path) -> None:
        self.spool = Spool(path)
        self.naps = Naps()
        self.senders: list[Sender] = []

    def sender(self, endpoint: Endpoint | None, clock: Callable[[], float] = time.time) -> Sender:
        sender = Sender(
            self.spool,
            endpoint,
            RESOURCE,
            sleep=self.naps,
            rng=Upper(),
            connect=lambda endpoint, resource: Delivery(endpoint, resource, clock=clock),
        )
        self.senders.append(sender)
        sender.start()
        return sender

    def event(self) -> StoredEvent:
        return self.spool.append(lambda uid, sequence: {"uid": uid, "sequence": sequence})

    def close(self) -> None:
        for _ in range(10):
            self.naps.end()
        assert all(sender.stop(PATIENCE) for sender in self.senders)
        self.spool.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def node(tmp_path: Path, collector: Collector) -> Iterator[Node]:
    node = Node(tmp_path / "spool.db")
    yield node
    collector.over.set()
    node.close()


def drained(sender: Sender) -> PushState:
    """The state when nothing waits any more."""
    return reached(sender, lambda state: state.queue_events == 0 and state.last_success_timestamp_seconds is not None)


def reached(sender: Sender, holds: Callable[[PushState], bool]) -> PushState:
    deadline = time.monotonic() + PATIENCE
    while (state := sender.state()) is None or not holds(state):
        assert time.monotonic() < deadline, state
        time.sleep(0.002)
    return state


def failures(state: PushState | None) -> dict[str, int]:
    assert state is not None
    return {reason: count for reason, count in state.failures_total.items() if count}


def test_one_whole_event_on_the_wire(node: Node, collector: Collector) -> None:
    emptying = Emptying(
        time_unix_ns=1_767_323_045_000_000_001,
        action="clear",
        interface="syslog",
        actor=Actor(
            pid=4242,
            tid=4242,
            comm="dmesg",
            exe="/usr/bin/dmesg",
            source="exec_trace",
            derived=True,
            parent_pid=4240,
            user_id=0,
            ancestors=(
                Process(4240, "cleanup.sh", "/usr/bin/dash"),
                Process(700, "cron", "/usr/sbin/cron"),
                Process(1, "systemd", ""),
            ),
            origin="cleanup.sh",
            container_id="c0ffee",
            pod_uid="0b5d",
            command_args=("dmesg", "-C"),
        ),
        hidden=Hidden(
            records=812,
            first_seq=10,
            last_seq=821,
            by_level={"err": 3, "info": 809},
            sample=(
                LogRecord("Out of memory: Killed process 77 (jäva)", 820, 12_345_678, 3, 0),
                LogRecord("usb 1-1: new device", 821, 13_000_000, 6, 0),
            ),
            sample_omitted=810,
        ),
    )
    uid = ""

    def render(given: str, sequence: int) -> Mapping[str, object]:
        nonlocal uid
        uid = given
        return log_record(
            emptying,
            node="node-7",
            boot_id="5f0c",
            uid=given,
            sequence=sequence,
            observed_unix_ns=1_767_323_045_000_500_000,
            owner="root",
        )

    node.spool.append(render)
    node.sender(Endpoint(collector.url, {"Authorization": "Bearer s3cret"}))
    path, headers, body = collector.next()
    assert path == "/v1/logs"
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Authorization"] == "Bearer s3cret"
    assert headers["User-Agent"] == "kmsg-exporter/0.1.0"
    assert json.loads(gzip.decompress(body)) == {
        "resourceLogs": [
            {
                "resource": {
                    "attributes": [
                        {"key": "service.name", "value": {"stringValue": "kmsg-exporter"}},
                        {"key": "host.name", "value": {"stringValue": "node-7"}},
                    ]
                },
                "scopeLogs": [
                    {
                        "scope": {"name": "kmsg_exporter", "version": "0.1.0"},
                        "logRecords": [
                            {
                                "timeUnixNano": "1767323045000000001",
                                "observedTimeUnixNano": "1767323045000500000",
                                "severityNumber": 13,
                                "severityText": "WARN",
                                "eventName": "kmsg.emptied",
                                "body": {
                                    "stringValue": "dmesg on node-7 was emptied by dmesg (/usr/bin/dmesg, pid 4242) "
                                    "run by cleanup.sh <- cron; 812 records are hidden, 3 of them errors or worse."
                                },
                                "attributes": [
                                    {"key": "event.name", "value": {"stringValue": "kmsg.emptied"}},
                                    {"key": "log.record.uid", "value": {"stringValue": uid}},
                                    {"key": "kmsg.sequence", "value": {"intValue": "1"}},
                                    {"key": "kmsg.boot_id", "value": {"stringValue": "5f0c"}},
                                    {"key": "kmsg.action", "value": {"stringValue": "clear"}},
                                    {"key": "kmsg.interface", "value": {"stringValue": "syslog"}},
                                    {"key": "process.pid", "value": {"intValue": "4242"}},
                                    {"key": "process.parent_pid", "value": {"intValue": "4240"}},
                                    {"key": "process.executable.path", "value": {"stringValue": "/usr/bin/dmesg"}},
                                    {
                                        "key": "process.command_args",
                                        "value": {
                                            "arrayValue": {"values": [{"stringValue": "dmesg"}, {"stringValue": "-C"}]}
                                        },
                                    },
                                    {"key": "process.owner", "value": {"stringValue": "root"}},
                                    {"key": "process.user.id", "value": {"intValue": "0"}},
                                    {"key": "kmsg.process.comm", "value": {"stringValue": "dmesg"}},
                                    {"key": "kmsg.process.origin", "value": {"stringValue": "cleanup.sh"}},
                                    {
                                        "key": "kmsg.process.ancestors",
                                        "value": {
                                            "arrayValue": {
                                                "values": [
                                                    {"stringValue": "4240 cleanup.sh /usr/bin/dash"},
                                                    {"stringValue": "700 cron /usr/sbin/cron"},
                                                    {"stringValue": "1 systemd"},
                                                ]
                                            }
                                        },
                                    },
                                    {"key": "kmsg.process.derived", "value": {"boolValue": True}},
                                    {"key": "kmsg.process.container.id", "value": {"stringValue": "c0ffee"}},
                                    {"key": "kmsg.process.pod.uid", "value": {"stringValue": "0b5d"}},
                                    {"key": "kmsg.attribution.source", "value": {"stringValue": "exec_trace"}},
                                    {"key": "kmsg.expected", "value": {"boolValue": False}},
                                    {"key": "kmsg.hidden.records", "value": {"intValue": "812"}},
                                    {"key": "kmsg.hidden.first_seq", "value": {"intValue": "10"}},
                                    {"key": "kmsg.hidden.last_seq", "value": {"intValue": "821"}},
                                    {
                                        "key": "kmsg.hidden.by_level",
                                        "value": {
                                            "kvlistValue": {
                                                "values": [
                                                    {"key": "err", "value": {"intValue": "3"}},
                                                    {"key": "info", "value": {"intValue": "809"}},
                                                ]
                                            }
                                        },
                                    },
                                    {"key": "kmsg.coalesced", "value": {"intValue": "1"}},
                                    {
                                        "key": "kmsg.hidden.sample",
                                        "value": {
                                            "arrayValue": {
                                                "values": [
                                                    {
                                                        "stringValue": "<3>[   12.345678] Out of memory: "
                                                        "Killed process 77 (jäva)"
                                                    },
                                                    {"stringValue": "<6>[   13.000000] usb 1-1: new device"},
                                                ]
                                            }
                                        },
                                    },
                                    {"key": "kmsg.hidden.sample_omitted", "value": {"intValue": "810"}},
                                ],
                            }
                        ],
                    }
                ],
            }
        ]
    }


def test_what_an_earlier_run_left_is_sent_at_start_and_what_is_new_when_woken(node: Node, collector: Collector) -> None:
    node.event()
    sender = node.sender(Endpoint(collector.url))
    assert collector.next_sequences() == [1]
    assert drained(sender).sent_total == 1
    node.event()
    sender.wake()
    assert collector.next_sequences() == [2]
    state = drained(sender)
    assert (state.sent_total, state.attempts_total, failures(state)) == (2, 2, {})
    assert [event.sent_unix is not None for event in node.spool.history()] == [True, True]
    assert node.naps.asked.empty()


def test_a_backlog_goes_out_in_batches_in_order(node: Node, collector: Collector) -> None:
    for _ in range(100):
        node.event()
    node.sender(Endpoint(collector.url))
    assert collector.next_sequences() == list(range(1, 65))
    assert collector.next_sequences() == list(range(65, 101))


def test_without_an_endpoint_events_stay_as_history(node: Node) -> None:
    event = node.event()
    sender = node.sender(None)
    sender.wake()
    assert sender.state() is None
    assert node.spool.history() == [event]


def test_rejected_records_are_counted_and_not_sent_again(node: Node, collector: Collector) -> None:
    collector.answers.put(status(200, b'{"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "no"}}'))
    node.event()
    node.event()
    state = drained(node.sender(Endpoint(collector.url)))
    assert (state.sent_total, state.rejected_total, state.attempts_total) == (1, 1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        status(202, b""),
        status(204, b""),
        status(200, b"<html>"),
        status(200, b'{"partialSuccess": []}'),
        status(200, b'{"partialSuccess": {"rejectedLogRecords": -3}}'),
        status(200, b'{"partialSuccess": {"rejectedLogRecords": 1e999}}'),
        status(200, b"[" * 60_000),
        status(200, b"{}", Content_Length="1000", Connection="close"),
        status(200, b"\x1f\x8b junk", Content_Encoding="gzip"),
        endless,
        dripping,
    ],
)
def test_2xx_is_success_whatever_the_body(node: Node, collector: Collector, answer: Answer) -> None:
    collector.answers.put(answer)
    node.event()
    state = drained(node.sender(Endpoint(collector.url, timeout_seconds=3.0)))
    assert (state.sent_total, state.attempts_total, failures(state)) == (1, 1, {})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (status(429), "http_429"),
        (status(502), "http_502"),
        (status(503), "http_503"),
        (status(504), "http_504"),
        (reset, "reset"),
        (hang, "timeout"),
        (garbage, "connection"),
    ],
)
def test_a_passing_fault_is_tried_again_with_backoff(
    node: Node, collector: Collector, answer: Answer, reason: str
) -> None:
    collector.answers.put(answer)
    collector.answers.put(answer)
    node.event()
    sender = node.sender(Endpoint(collector.url, timeout_seconds=0.3))
    assert node.naps.next() == 12.0
    assert failures(sender.state()) == {reason: 1}
    node.event()
    sender.wake()
    node.naps.end()
    assert node.naps.next() == 24.0
    node.naps.end()
    state = drained(sender)
    assert (state.sent_total, state.attempts_total, failures(state)) == (2, 3, {reason: 2})


def test_the_backoff_ends_at_a_minute(node: Node, collector: Collector) -> None:
    for _ in range(8):
        collector.answers.put(status(503))
    node.event()
    sender = node.sender(Endpoint(collector.url))
    waits = []
    for _ in range(8):
        waits.append(node.naps.next())
        node.naps.end()
    assert waits == [12.0, 24.0, 48.0, 60.0, 60.0, 60.0, 60.0, 60.0]
    assert drained(sender).sent_total == 1


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 19.0), ("Wed, 21 Oct 2015 07:28:20 GMT", 32.0), ("86400", 312.0), ("soon", 12.0)]
)
def test_retry_after_is_waited_out_with_jitter_on_top(
    node: Node, collector: Collector, value: str, seconds: float
) -> None:
    collector.answers.put(status(429, Retry_After=value))
    node.event()
    node.sender(Endpoint(collector.url), clock=lambda: 1_445_412_480.0)
    assert node.naps.next() == seconds


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_lasting_fault_keeps_the_event_and_is_tried_again_slowly(
    node: Node, collector: Collector, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    collector.answers.put(status(code))
    collector.answers.put(status(code))
    node.event()
    sender = node.sender(Endpoint(collector.url))
    for _ in range(2):
        assert node.naps.next() == 300.0
        assert node.spool.state.queue_events == 1
        node.naps.end()
    state = drained(sender)
    assert (state.sent_total, failures(state)) == (1, {f"http_{code}": 2})
    reached(sender, lambda _: "works again" in caplog.text)
    assert caplog.text.count(f"HTTP status {code}; ") == 1


def test_the_embedded_collector_is_named_and_not_by_an_address_that_nobody_chose(
    node: Node, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    endpoint = inside(Config(), collector.url.removesuffix("v1/logs"), "sesame")
    assert endpoint is not None
    collector.answers.put(status(503))
    node.event()
    sender = node.sender(endpoint)
    node.naps.next()
    node.naps.end()
    drained(sender)
    reached(sender, lambda _: "works again" in caplog.text)
    assert sender.destination == "the embedded collector"
    assert "cannot push to the embedded collector: HTTP status 503; see the collector's log" in caplog.text
    assert "the push to the embedded collector works again" in caplog.text
    assert "127.0.0.1" not in caplog.text


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("", "the collector at {url} can be reached"),
        ("the embedded collector", "the embedded collector can be reached"),
    ],
)
def test_a_collector_that_is_reached_is_told_of(
    node: Node, collector: Collector, caplog: pytest.LogCaptureFixture, name: str, line: str
) -> None:
    caplog.set_level(logging.INFO)
    node.event()
    reached(node.sender(Endpoint(collector.url, name=name)), lambda _: "can be reached" in caplog.text)
    assert line.format(url=collector.url) in caplog.messages


def test_redirects_are_not_followed(node: Node, collector: Collector) -> None:
    collector.answers.put(status(307, Location=f"{collector.url}/elsewhere"))
    node.event()
    sender = node.sender(Endpoint(collector.url))
    assert node.naps.next() == 300.0
    assert failures(sender.state()) == {"http_307": 1}
    assert collector.next()[0] == "/v1/logs"
    assert collector.heard.empty()


def test_nobody_listens(node: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    node.event()
    sender = node.sender(Endpoint(f"http://127.0.0.1:{port}/v1/logs"))
    assert node.naps.next() == 12.0
    assert failures(sender.state()) == {"refused": 1}


def test_the_name_does_not_resolve(node: Node) -> None:
    node.event()
    sender = node.sender(Endpoint("http://collector.invalid/v1/logs"))
    assert node.naps.next() == 12.0
    assert failures(sender.state()) == {"dns": 1}


def test_a_certificate_must_be_known(node: Node, collector: Collector, tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(
        ["openssl", "req", *kind, *subject, "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
        timeout=PATIENCE,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    collector.socket = tls.wrap_socket(collector.socket, server_side=True)
    node.event()
    url = collector.url.replace("http:", "https:")
    stranger = node.sender(Endpoint(url))
    assert node.naps.next() == 300.0
    assert failures(stranger.state()) == {"tls": 1}
    assert drained(node.sender(Endpoint(url, ca_file=cert))).sent_total == 1


def test_secrets_are_in_the_request_and_nowhere_else(
    node: Node, collector: Collector, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    caplog.set_level(logging.DEBUG)
    for answer in (status(503), reset, status(401)):
        collector.answers.put(answer)
    node.event()
    sender = node.sender(Endpoint(f"{collector.url}?token=s3cret", {"Authorization": "Bearer s3cret"}))
    for _ in range(3):
        node.naps.next()
        node.naps.end()
    drained(sender)
    assert {headers["Authorization"] for _, headers, _ in collector.heard.queue} == {"Bearer s3cret"}
    assert len(collector.heard.queue) == 4
    assert caplog.text.count("cannot push to ") == 3
    assert "s3cret" not in caplog.text


def test_stop_ends_a_wait_at_once_and_keeps_what_waits(tmp_path: Path, collector: Collector) -> None:
    collector.answers.put(status(503))
    spool = Spool(tmp_path / "other.db")
    spool.append(lambda uid, _: {"uid": uid})
    sender = Sender(spool, Endpoint(collector.url), RESOURCE, rng=Upper())
    sender.start()
    reached(sender, lambda state: failures(state) == {"http_503": 1})
    assert sender.stop(4.0)
    assert spool.state.queue_events == 1
    spool.close()
    assert collector.heard.qsize() == 1


def test_a_request_under_way_does_not_hold_up_the_end(node: Node, collector: Collector) -> None:
    collector.answers.put(hang)
    node.event()
    sender = node.sender(Endpoint(collector.url))
    collector.next()
    assert not sender.stop(0.0)


def test_a_fault_nobody_thought_of_is_counted_and_the_sender_goes_on(
    node: Node, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    post, faults = Delivery.post, [ZeroDivisionError()]

    def breaks_once(delivery: Delivery, records: Sequence[Json]) -> int:
        if faults:
            raise faults.pop()
        return post(delivery, records)

    monkeypatch.setattr(Delivery, "post", breaks_once)
    node.event()
    sender = node.sender(Endpoint(collector.url))
    assert node.naps.next() == 300.0
    assert failures(sender.state()) == {"internal": 1}
    node.naps.end()
    assert drained(sender).sent_total == 1


@pytest.mark.parametrize("damage", ["'{\"cut'", "CAST(x'7b22ff227d' AS TEXT)"], ids=["no JSON", "no UTF-8"])
def test_an_event_that_the_disk_has_damaged_is_set_aside_and_the_others_go(
    node: Node, collector: Collector, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite has no checksums: it gives what it finds."""
    events = [node.event() for _ in range(3)]
    with closing(sqlite3.connect(node.spool.path)) as disk, disk:
        disk.execute(f"UPDATE event SET record = {damage} WHERE uid = ?", (events[0].uid,))  # noqa: S608
    state = drained(node.sender(Endpoint(collector.url)))
    assert collector.next_sequences() == [2, 3]
    assert (state.sent_total, failures(state), state.dropped_total["refused"]) == (2, {}, 1)
    assert [event.aside for event in node.spool.history()] == [False, False, True]
    assert caplog.text.count(f"event {events[0].uid} is damaged in {node.spool.path}") == 1
    node.senders[0].use(Endpoint(collector.url))  # what was set aside has another chance, and this one none
    node.event()
    assert reached(node.senders[0], lambda state: state.sent_total == 3).dropped_total["refused"] == 1


def test_suspects_that_went_to_make_room_hold_up_nobody_and_are_counted_once(tmp_path: Path) -> None:
    refused: set[int] = {1, 2, 3}

    def post(records: Sequence[Mapping[str, int]]) -> int:
        if refused & {record["sequence"] for record in records}:
            raise PushError("no", reason="http_400", retriable=False, suspicious=True)
        return 0

    def event() -> None:
        spool.append(lambda uid, sequence: {"uid": uid, "sequence": sequence, "text": "x" * 20_000})

    def send_all() -> None:
        while sender._waits():
            with suppress(PushError):
                sender._send_batch(delivery)

    delivery = cast(Delivery, SimpleNamespace(post=post, endpoint="collector"))
    spool = Spool(tmp_path / "spool.db", max_bytes=200_000)
    sender = Sender(
        spool,
        Endpoint("http://collector/v1/logs"),
        Resource({}),
        monotonic=lambda: 0.0,
        sleep=lambda _: None,
        connect=lambda *_: delivery,
    )
    for _ in range(3):
        event()
    send_all()
    assert len(sender._culprit.suspects) == 3
    for _ in range(9):
        event()
    gone = spool.state.dropped_total["spool_full"]
    assert gone >= 3
    send_all()
    assert (spool.state.queue_events, len(sender._culprit.suspects)) == (0, 0)
    assert spool.state.dropped_total == {"spool_full": gone, "spool_corrupt": 0, "refused": 0}
    spool.close()


_NOBODY = "http://127.0.0.1:9/v1/logs"
_LOADED = """
import json, pathlib, sys, time
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sender import Sender
from kmsg_exporter.push.spool import Spool

def loaded():
    return [name for name in ("requests", "tenacity") if name in sys.modules]

url, later = sys.argv[2:]
spool, now = Spool(pathlib.Path(sys.argv[1])), 0.0
sender = Sender(spool, Endpoint(url) if url else None, Resource({}), monotonic=lambda: now)
now = float(later)
sender.start()
deadline = time.monotonic() + 20
while not loaded() and later != "0" and url and time.monotonic() < deadline:
    time.sleep(0.01)
sender.wake()
assert sender.stop(20)
spool.close()
state = sender.state()
print(json.dumps([loaded(), state and state.attempts_total]))
"""


@pytest.mark.parametrize(
    ("url", "seconds_later", "loaded", "attempts"),
    [("", 60, [], None), (_NOBODY, 0, [], 0), (_NOBODY, 60, ["requests", "tenacity"], 0)],
    ids=["one that sends to nobody", "one that has just started", "one that waits for something to send"],
)
def test_what_sending_takes_is_loaded_before_there_is_an_event_and_only_to_send(
    tmp_path: Path, url: str, seconds_later: int, loaded: list[str], attempts: int | None
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, tmp_path / "spool.db", url, str(seconds_later)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [loaded, attempts]


def test_what_an_endpoint_refused_and_takes_now_does_not_come_all_at_once(tmp_path: Path) -> None:
    now, taken, takes = 0.0, 0, False

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def post(records: Sequence[object]) -> int:
        nonlocal taken
        if not takes:
            raise PushError("broken", reason="http_500", retriable=True, suspicious=True)
        taken += len(records)
        return 0

    delivery = cast(Delivery, SimpleNamespace(post=post, prepare=lambda: None, endpoint="collector"))
    spool = Spool(tmp_path / "spool.db")
    for _ in range(3):
        spool.append(lambda uid, sequence: {"uid": uid, "sequence": sequence})
    sender = Sender(
        spool,
        Endpoint("http://collector/v1/logs"),
        RESOURCE,
        monotonic=lambda: now,
        sleep=sleep,
        rng=Upper(),
        connect=lambda *_: delivery,
    )
    sender._work(delivery)
    takes, now = True, now + 300.0
    for number in (1, 2, 3):
        sender._work(delivery)
        assert taken == number
        now += 4.0
    spool.close()
