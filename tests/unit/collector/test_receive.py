"""`POST /v1/logs` over real HTTP."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import socket
import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message

from kmsg_exporter.collector.body import read_json_body
from kmsg_exporter.collector.server import CollectorServer

LIMIT_BYTES = 4 * 1024 * 1024
OVER = "the body is over 4194304 bytes, packed or unpacked: send fewer records at a time"


def test_an_event_is_stored_and_success_is_an_empty_object(client: Any, record: Any, body: Any) -> None:
    answer = client.send(body(record("a")))
    assert (answer.status, answer.text) == (200, "{}")
    assert answer.headers["content-type"] == "application/json"
    assert client.uids() == ["a"]


def test_an_event_sent_twice_is_stored_once_and_is_a_success_both_times(client: Any, record: Any, body: Any) -> None:
    answers = [client.send(body(record("a"))).text for _ in range(2)]
    assert answers == ["{}", "{}"]
    assert client.uids() == ["a"]


def test_gzip_in_one_or_several_members_is_taken(client: Any, record: Any, body: Any) -> None:
    whole = body(record("a"))
    assert client.send(gzip.compress(whole), content_encoding="gzip").status == 200
    parts = gzip.compress(body(record("b"))[:40]) + gzip.compress(body(record("b"))[40:])
    assert client.send(parts, content_encoding="GZIP").status == 200
    assert sorted(client.uids()) == ["a", "b"]


def test_a_content_type_with_a_parameter_is_taken(client: Any, record: Any, body: Any) -> None:
    assert client.send(body(record()), content_type="Application/JSON; charset=utf-8").status == 200


def test_a_chunked_body_is_taken(server: CollectorServer, client: Any, record: Any, body: Any) -> None:
    whole = body(record("a"))
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        chunks = iter([whole[:10], whole[10:]])
        connection.request("POST", "/v1/logs", chunks, {"Content-Type": "application/json"}, encode_chunked=True)
        assert connection.getresponse().status == 200
    assert client.uids() == ["a"]


def test_records_that_are_not_ours_are_a_partial_success(client: Any, record: Any, body: Any) -> None:
    answer = client.send(body(record("a"), record("b", eventName="other"), record(None)))
    assert answer.status == 200
    assert answer.json == {
        "partialSuccess": {
            "rejectedLogRecords": "2",
            "errorMessage": "resourceLogs[0].scopeLogs[0].logRecords[1]: event 'other' is not kmsg.emptied, "
            "the only one this collector keeps; "
            "resourceLogs[0].scopeLogs[0].logRecords[2]: attribute log.record.uid is missing: "
            "it must be a UUID or another short plain identifier",
        }
    }
    assert client.uids() == ["a"]


def test_what_would_take_too_much_memory_is_413_and_nothing_of_it_is_stored(
    client: Any, record: Any, body: Any
) -> None:
    sent = gzip.compress(body(record("a"), *[{}] * 1_000_000))
    answer = client.send(sent, content_encoding="gzip")
    message = "the body has over 524288 values: send fewer records at a time"
    assert (answer.status, answer.json) == (413, {"code": 3, "message": message})
    assert client.send(body(record("b"))).status == 200
    assert client.uids() == ["b"]


def test_a_uid_with_ever_other_content_is_kept_eight_times_and_then_refused(
    client: Any, record: Any, body: Any
) -> None:
    answers = [client.send(body(record("a", body={"stringValue": str(number)}))) for number in range(9)]
    assert [answer.text for answer in answers[:8]] == ["{}"] * 8
    assert answers[8].json == {
        "partialSuccess": {
            "rejectedLogRecords": "1",
            "errorMessage": "1 of a uid of which 8 other events are stored",
        }
    }


def test_a_hello_is_a_request_without_records(client: Any, body: Any) -> None:
    answer = client.send(body(scope={"kmsg.sequence": 3, "kmsg.boot_id": "boot-a"}))
    assert (answer.status, answer.text) == (200, "{}")
    assert client.uids() == []


def test_only_the_first_reasons_are_told(client: Any, record: Any, body: Any) -> None:
    partial = client.send(body(*[record(None)] * 10)).json["partialSuccess"]
    assert partial["rejectedLogRecords"] == "10"
    assert partial["errorMessage"].endswith("; and 7 more")


@pytest.mark.parametrize("sent", [b"", b"{", b"\xff\xfe", b"null", b"[" * 100_000, b'{"resourceLogs": 1}'])
def test_a_malformed_body_is_400_with_a_reason(client: Any, sent: bytes) -> None:
    answer = client.send(sent)
    assert answer.status == 400
    assert answer.json["code"] == 3
    assert answer.json["message"].startswith(("the body ", "resourceLogs must be an array, not 1"))


def test_one_malformed_record_keeps_the_others_of_its_body_out(client: Any, record: Any, body: Any) -> None:
    assert client.send(body(record("a"), record("b", timeUnixNano="yesterday"))).json == {
        "code": 3,
        "message": "resourceLogs[0].scopeLogs[0].logRecords[1].timeUnixNano must be a 64-bit integer, not 'yesterday'",
    }
    assert client.uids() == []


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        (
            {"content_type": "application/x-protobuf"},
            "content type 'application/x-protobuf' is not taken here, only application/json: "
            "set the sender's encoding to OTLP/HTTP JSON",
        ),
        (
            {"content_type": ""},
            "content type 'missing' is not taken here, only application/json: "
            "set the sender's encoding to OTLP/HTTP JSON",
        ),
        ({"content_encoding": "zstd"}, "content encoding 'zstd' is not taken here, only gzip"),
        ({"content_encoding": "gzip, gzip"}, "content encoding 'gzip, gzip' is not taken here, only gzip"),
    ],
)
def test_another_type_or_encoding_is_415(client: Any, body: Any, headers: dict[str, str], message: str) -> None:
    answer = client.send(body(), **headers)
    assert (answer.status, answer.json) == (415, {"code": 3, "message": message})


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"not gzip", "the body is not gzip: Error -3 while decompressing data: incorrect header check"),
        (gzip.compress(b"{}")[:-3], "the body is cut off: its gzip stream has no end"),
        (b"", "the body is cut off: its gzip stream has no end"),
        (
            gzip.compress(b"{}") + b"tail",
            "the body is not gzip: Error -3 while decompressing data: incorrect header check",
        ),
    ],
)
def test_broken_gzip_is_400(client: Any, sent: bytes, message: str) -> None:
    answer = client.send(sent, content_encoding="gzip")
    assert (answer.status, answer.json) == (400, {"code": 3, "message": message})


def padded(body: bytes, size: int) -> bytes:
    return body + b" " * (size - len(body))


def test_a_body_of_exactly_the_limit_is_taken(client: Any, record: Any, body: Any) -> None:
    assert client.send(padded(body(record("a")), LIMIT_BYTES)).status == 200
    assert client.send(gzip.compress(padded(body(record("b")), LIMIT_BYTES)), content_encoding="gzip").status == 200


def test_a_body_over_the_limit_is_413_and_nothing_of_it_is_stored(client: Any, record: Any, body: Any) -> None:
    answer = client.send(padded(body(record("a")), LIMIT_BYTES + 1))
    assert (answer.status, answer.json) == (413, {"code": 3, "message": OVER})
    assert client.uids() == []


def test_a_chunked_body_over_the_limit_is_413(server: CollectorServer, client: Any, record: Any, body: Any) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        chunks = iter([body(record("a")), *[b" " * 65536] * 100])
        connection.request("POST", "/v1/logs", chunks, {"Content-Type": "application/json"}, encode_chunked=True)
        assert connection.getresponse().status == 413
    assert client.uids() == []


def test_a_body_that_declares_too_much_is_413_before_it_is_sent(server: CollectorServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(b"POST /v1/logs HTTP/1.1\r\nHost: a\r\n")
        sock.sendall(b"Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n")
        assert sock.recv(12) == b"HTTP/1.1 413"


def test_a_gzip_bomb_is_413_before_its_end_has_come(server: CollectorServer, gzipped_zeros: bytes) -> None:
    """The answer comes while the body is still under way: it was not read whole."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.putrequest("POST", "/v1/logs")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Encoding", "gzip")
        connection.putheader("Content-Length", str(len(gzipped_zeros)))
        connection.endheaders(gzipped_zeros[: len(gzipped_zeros) // 4])
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["message"]) == (413, OVER)


def test_a_packed_body_over_the_limit_on_the_wire_is_413(client: Any) -> None:
    empty_members = gzip.compress(b"") * (LIMIT_BYTES // 20 + 1)
    answer = client.send(empty_members, content_encoding="gzip")
    assert answer.status == 413


def test_the_server_lives_on_after_all_that(client: Any, record: Any, body: Any, gzipped_zeros: bytes) -> None:
    for sent in (b"[" * 1_000_000, gzipped_zeros, padded(b"", LIMIT_BYTES * 2)):
        client.send(sent)
        client.send(sent, content_encoding="gzip")
    assert client.send(body(record("a"))).status == 200
    assert client.uids() == ["a"]


def test_a_slow_sender_does_not_hold_up_the_others(
    server: CollectorServer, client: Any, record: Any, body: Any
) -> None:
    slow = body(record("slow"))
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        connection.putrequest("POST", "/v1/logs")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(slow)))
        connection.endheaders(slow[:5])
        assert client.send(body(record("quick"))).status == 200
        assert client.uids() == ["quick"]
        connection.send(slow[5:])
        assert connection.getresponse().status == 200
    assert sorted(client.uids()) == ["quick", "slow"]


def test_a_sender_that_goes_away_in_the_middle_leaves_nothing(
    server: CollectorServer, client: Any, record: Any, body: Any
) -> None:
    whole = body(record("gone"))
    head = (
        f"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(whole)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as sock:
        sock.sendall(head.encode() + whole[:-1])
    assert client.send(body(record("a"))).status == 200
    assert client.uids() == ["a"]


def test_clients_at_once_lose_nothing(client: Any, record: Any, body: Any) -> None:
    def send(sender: int) -> None:
        for number in range(20):
            assert client.send(body(record(f"{sender}-{number}"), record(f"{sender}-{number}-2"))).status == 200

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert len(client.uids()) == 160


def test_what_can_not_be_stored_is_503_and_welcome_again(
    server: CollectorServer, client: Any, record: Any, body: Any
) -> None:
    with closing(sqlite3.connect(server.data_dir / "events.sqlite3", isolation_level=None)) as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        answer = client.send(body(record("a")))
        assert (answer.status, answer.json["code"]) == (503, 14)
        assert answer.json["message"].endswith("events.sqlite3: disk is full")
        connection.execute("DROP TRIGGER full")
    assert client.send(body(record("a"))).status == 200
    assert client.uids() == ["a"]


def test_a_body_that_takes_too_long_is_408() -> None:
    async def never() -> Message:
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        return await future

    with pytest.raises(HTTPException) as raised:
        asyncio.run(read_json_body([(b"content-type", b"application/json")], never, timeout_seconds=0.01))
    assert (raised.value.status_code, raised.value.detail) == (408, "the body took more than 0.01 seconds")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_405(client: Any, method: str) -> None:
    answer = client.request(method, "/v1/logs")
    assert (answer.status, answer.json) == (405, {"code": 12, "message": "Method Not Allowed"})
    assert answer.headers["allow"] == "POST"
