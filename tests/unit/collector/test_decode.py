"""Bodies decoded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmsg_exporter.collector.decode import Batch, decode_logs
from kmsg_exporter.collector.event import Hello, Sender
from kmsg_exporter.errors import BodyTooLarge, DecodeError

FIELDS = (
    "resourceLogs", "resource", "scopeLogs", "logRecords", "attributes", "key", "value", "values", "stringValue",
    "intValue", "doubleValue", "boolValue", "arrayValue", "kvlistValue", "bytesValue", "timeUnixNano",
    "observedTimeUnixNano", "severityNumber", "eventName", "body", "log.record.uid", "event.name", "kmsg.emptied",
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(FIELDS)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4)
)
WRONG: tuple[Any, ...] = (1, "text", True, [], {}, [1], {"a": 1}, 1.5)


def logs(record: Any, resource: Any = None) -> bytes:
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}).encode()


def readable(reason: str) -> bool:
    return reason.isprintable() and len(reason) < 1000


def outcome(body: bytes) -> Batch | None:
    """What came of it; None when it was malformed. Anything else than a DecodeError fails the test."""
    try:
        batch = decode_logs(body)
    except DecodeError as exc:
        return None if readable(str(exc)) else pytest.fail(f"unreadable: {exc!r}")
    for event in batch.events:
        event.document.encode()
        json.loads(event.document, parse_constant=pytest.fail)
    return batch


def test_an_event_is_decoded_with_the_columns_it_is_found_by() -> None:
    def text(key: str, value: str) -> dict[str, Any]:
        return {"key": key, "value": {"stringValue": value}}

    record = {
        "timeUnixNano": "1706933106789000001",
        "severityNumber": 13,
        "eventName": "kmsg.emptied",
        "body": {"stringValue": "dmesg on node-7 was emptied"},
        "attributes": [
            text("log.record.uid", "018f"),
            text("kmsg.process.comm", "dmesg"),
            text("process.executable.path", "/usr/bin/dmesg"),
            text("kmsg.process.origin", "cleanup.sh"),
            {"key": "process.pid", "value": {"intValue": "4242"}},
            {
                "key": "kmsg.hidden.by_level",
                "value": {"kvlistValue": {"values": [{"key": "err", "value": {"intValue": 3}}]}},
            },
            {
                "key": "kmsg.hidden.sample",
                "value": {"arrayValue": {"values": [{"stringValue": "<3>[    1.000000] oops"}]}},
            },
        ],
    }
    resource = {"attributes": [text("host.name", "host-7"), text("k8s.node.name", "node-7")]}
    (event,) = decode_logs(logs(record, resource)).events
    assert (event.uid, event.time_unix_ns, event.node) == ("018f", 1706933106789000001, "node-7")
    assert (event.comm, event.exe, event.origin) == ("dmesg", "/usr/bin/dmesg", "cleanup.sh")
    assert json.loads(event.document) == {
        "event_name": "kmsg.emptied",
        "body": "dmesg on node-7 was emptied",
        "severity_number": 13,
        "resource": {"host.name": "host-7", "k8s.node.name": "node-7"},
        "attributes": {
            "log.record.uid": "018f",
            "kmsg.process.comm": "dmesg",
            "process.executable.path": "/usr/bin/dmesg",
            "kmsg.process.origin": "cleanup.sh",
            "process.pid": 4242,
            "kmsg.hidden.by_level": {"err": 3},
            "kmsg.hidden.sample": ["<3>[    1.000000] oops"],
        },
    }


def test_the_columns_of_an_event_are_bounded_and_its_document_has_the_whole(record: Any, body: Any) -> None:
    names = ("kmsg.process.comm", "process.executable.path", "kmsg.process.origin", "kmsg.boot_id")
    from_whom = ("k8s.node.name", "service.instance.id", "k8s.cluster.name", "host.id", "service.version")
    attributes, resource = dict.fromkeys(names, "a" * 5_000), dict.fromkeys(from_whom, "r" * 5_000)
    (event,) = decode_logs(body(record(attributes=attributes), resource=resource)).events
    assert [len(each) for each in (event.comm, event.exe, event.origin, event.node)] == [256, 4096, 256, 256]
    sender = event.sender
    said = (sender.instance, sender.boot_id, sender.cluster, sender.host_id, sender.version)
    assert [len(each) for each in said] == [256] * 5
    document = json.loads(event.document)
    assert document["attributes"]["kmsg.process.comm"] == "a" * 5_000
    assert document["resource"]["k8s.node.name"] == "r" * 5_000


def test_the_event_is_known_by_its_attribute_when_the_field_was_dropped(record: Any, body: Any) -> None:
    without = record()
    del without["eventName"]
    assert len(decode_logs(body(without)).events) == 1


def test_another_event_and_a_record_without_uid_are_refused_and_the_rest_kept(record: Any, body: Any) -> None:
    batch = decode_logs(body(record("a"), record("b", eventName="other"), record(None), record("c")))
    assert [event.uid for event in batch.events] == ["a", "c"]
    assert batch.refused == (
        "resourceLogs[0].scopeLogs[0].logRecords[1]: event 'other' is not kmsg.emptied, "
        "the only one this collector keeps",
        "resourceLogs[0].scopeLogs[0].logRecords[2]: attribute log.record.uid is missing: "
        "it must be a UUID or another short plain identifier",
    )


@pytest.mark.parametrize("uid", ["", "../x", "a/b", "a b", "é", "a" * 129, "\u202e", "."])
def test_an_uid_that_is_no_plain_identifier_is_refused(record: Any, body: Any, uid: str) -> None:
    batch = decode_logs(body(record(uid)))
    assert batch.events == ()
    assert len(batch.refused) == 1


def test_a_record_too_large_to_be_one_of_ours_is_refused(record: Any, body: Any) -> None:
    batch = decode_logs(body(record("a", body={"stringValue": "x" * 300_000})))
    assert batch.refused == ("resourceLogs[0].scopeLogs[0].logRecords[0]: the record is over 262144 bytes",)


@pytest.mark.parametrize("value", [b"{}", b"[]", b"[[[[]]]]", b'{"":{}}', b"0", b'""', b"1e9"])
def test_a_body_of_very_many_values_is_refused_before_it_is_parsed(value: bytes) -> None:
    with pytest.raises(BodyTooLarge, match="the body has over 524288 values: send fewer records at a time"):
        decode_logs(b"[" + b",".join([value] * 600_000))


def test_a_resource_that_very_many_records_repeat_is_refused_before_all_have_it(record: Any, body: Any) -> None:
    resource = {"large": "x" * 100_000}
    batch = decode_logs(body(*(record(f"{number}") for number in range(100)), resource=resource))
    assert len(batch.events) == 100
    assert 100 * 100_000 < batch.bytes < 100 * 102_000
    with pytest.raises(BodyTooLarge, match="its records are over 16777216 bytes, each with its resource: send fewer"):
        decode_logs(body(*(record(f"{number}") for number in range(200)), resource=resource))


def test_what_is_refused_and_who_says_hello_has_its_weight(record: Any, body: Any) -> None:
    assert decode_logs(body(record(None))).bytes == 1024
    assert decode_logs(body(scope={"kmsg.sequence": 1})).bytes == 1024
    with pytest.raises(BodyTooLarge):
        decode_logs(body(*[{}] * 17_000))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "the body is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"\xff", "the body is not UTF-8: invalid start byte at byte 0"),
        (b"[]", "the body must be an object, not an array"),
        (b'{"resourceLogs": NaN}', "the body is not JSON: NaN is not a JSON value"),
        (b'{"resourceLogs": 1e999}', "the body is not JSON: 1e999 is beyond a double"),
        (b'{"resourceLogs": {}}', "resourceLogs must be an array, not an object"),
        (b'{"resourceLogs": [1]}', "resourceLogs[0] must be an object, not 1"),
        (b"[" * 100_000, "the body is nested too deep"),
    ],
)
def test_what_is_no_logs_request_is_malformed(sent: bytes, reason: str) -> None:
    with pytest.raises(DecodeError) as raised:
        decode_logs(sent)
    assert str(raised.value) == reason


def test_an_integer_of_thousands_of_digits_is_malformed() -> None:
    with pytest.raises(DecodeError, match="the body is not JSON: Exceeds the limit"):
        decode_logs(b'{"resourceLogs": ' + b"9" * 5000 + b"}")


@pytest.mark.parametrize("number", ["9223372036854775808", 2**70, "-9223372036854775809", "1.5", "", True, "٣"])
def test_what_is_no_64_bit_integer_is_malformed(record: Any, body: Any, number: object) -> None:
    with pytest.raises(DecodeError, match="must be a 64-bit integer"):
        decode_logs(body(record(timeUnixNano=number)))


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("field", ["attributes", "eventName", "body", "timeUnixNano", "severityNumber"])
def test_a_wrong_type_in_any_field_is_no_crash(record: Any, body: Any, field: str, wrong: object) -> None:
    outcome(body(record() | {field: wrong}))


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    "kind", ["stringValue", "intValue", "doubleValue", "boolValue", "arrayValue", "kvlistValue", "bytesValue"]
)
def test_a_wrong_type_in_any_value_is_no_crash(record: Any, body: Any, kind: str, wrong: object) -> None:
    sent = record()
    sent["attributes"].append({"key": "x", "value": {kind: wrong}})
    outcome(body(sent))


def test_values_nested_beyond_any_event_are_malformed(record: Any, body: Any) -> None:
    value: Any = {"stringValue": "deep"}
    for _ in range(40):
        value = {"arrayValue": {"values": [value]}}
    with pytest.raises(DecodeError, match="nested deeper than 16 values"):
        decode_logs(body(record(body=value)))


def test_a_lone_surrogate_is_replaced(record: Any, body: Any) -> None:
    (event,) = decode_logs(body(record(attributes={"kmsg.process.comm": "a\ud800b"}))).events
    assert event.comm == "a\ufffdb"


def test_nulls_are_fields_that_are_not_there() -> None:
    assert outcome(b'{"resourceLogs": null}') == Batch(())
    sent = b'{"resourceLogs": [{"resource": null, "scopeLogs": [{"logRecords": null}]}, {"scopeLogs": null}]}'
    assert outcome(sent) == Batch(())


def test_protobuf_writes_what_json_has_no_number_for_as_text(record: Any, body: Any) -> None:
    sent = record()
    sent["attributes"].append({"key": "x", "value": {"doubleValue": "NaN"}})
    (event,) = decode_logs(body(sent)).events
    assert json.loads(event.document)["attributes"]["x"] == "NaN"


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_a_batch_or_malformed(sent: bytes) -> None:
    outcome(sent)


@settings(deadline=None)
@given(JSON)
def test_any_json_is_a_batch_or_malformed(sent: Any) -> None:
    outcome(json.dumps(sent).encode())


@settings(deadline=None)
@given(JSON, JSON, JSON)
def test_any_record_is_kept_refused_or_malformed(value: Any, field: Any, resource: Any) -> None:
    attributes = [
        {"key": "log.record.uid", "value": {"stringValue": "a"}},
        {"key": "kmsg.hidden.sample", "value": value},
        {"key": "process.pid", "value": {"arrayValue": {"values": [value]}}},
    ]
    record = {"eventName": "kmsg.emptied", "attributes": attributes, "body": value, "timeUnixNano": field}
    batch = outcome(logs(record, resource))
    assert batch is None or len(batch.events) + len(batch.refused) == 1


def hello(attributes: Any, resource: Any = None) -> bytes:
    scope = {"scope": {"name": "kmsg_exporter", "attributes": attributes}, "logRecords": []}
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}).encode()


def test_a_hello_names_its_agent_and_its_count() -> None:
    resource = {
        "attributes": [
            {"key": "service.instance.id", "value": {"stringValue": "one"}},
            {"key": "service.version", "value": {"stringValue": "0.9.0"}},
            {"key": "host.name", "value": {"stringValue": "node-7"}},
        ]
    }
    attributes = [
        {"key": "kmsg.sequence", "value": {"intValue": "12"}},
        {"key": "kmsg.boot_id", "value": {"stringValue": "boot-a"}},
    ]
    assert decode_logs(hello(attributes, resource)).hellos == (
        Hello(Sender(instance="one", boot_id="boot-a", sequence=12, version="0.9.0"), "node-7"),
    )


def test_a_scope_without_a_count_is_no_hello() -> None:
    for attributes in (None, [], [{"key": "kmsg.boot_id", "value": {"stringValue": "boot-a"}}]):
        assert decode_logs(hello(attributes)).hellos == ()


@pytest.mark.parametrize(
    "value", [{"stringValue": "12"}, {"intValue": "-1"}, {"boolValue": True}, {"intValue": 2**50}, None]
)
def test_a_count_that_can_be_none_says_nothing_of_events(value: Any) -> None:
    (found,) = decode_logs(hello([{"key": "kmsg.sequence", "value": value}])).hellos
    assert found.sender.sequence is None


@pytest.mark.parametrize("wrong", [1, "text", True, [1], {"a": 1}])
def test_a_scope_of_the_wrong_type_is_malformed_or_no_hello(wrong: Any) -> None:
    outcome(hello(wrong))
    outcome(json.dumps({"resourceLogs": [{"scopeLogs": [{"scope": wrong}]}]}).encode())


def test_the_content_of_an_event_is_the_same_whatever_the_order_of_its_attributes_and_its_resource() -> None:
    pairs = [
        {"key": "event.name", "value": {"stringValue": "kmsg.emptied"}},
        {"key": "log.record.uid", "value": {"stringValue": "a"}},
    ]
    named = {"attributes": [{"key": "service.version", "value": {"stringValue": "2"}}]}
    one, same, other = (
        decode_logs(logs(record, resource)).events[0].digest
        for record, resource in (
            ({"attributes": pairs}, None),
            ({"attributes": pairs[::-1]}, named),
            ({"attributes": pairs, "body": {"stringValue": "other"}}, None),
        )
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        (1, "attributes[2] must be an object, not 1"),
        ({"key": 1}, "attributes[2].key must be a string, not 1"),
        ({"key": "x", "value": 1}, "attributes[2].value must be an object, not 1"),
        ({"key": "x", "value": {"intValue": "a"}}, "attributes[2].value.intValue must be a 64-bit integer, not 'a'"),
        (
            {"key": "x", "value": {"arrayValue": {"values": [None, {"boolValue": 1}]}}},
            "attributes[2].value.arrayValue.values[1].boolValue must be true or false, not 1",
        ),
        (
            {"key": "x", "value": {"kvlistValue": {"values": [{"key": "y", "value": {"doubleValue": "z"}}]}}},
            "attributes[2].value.kvlistValue.values[0].value.doubleValue must be a number, not 'z'",
        ),
        ({"key": "x", "value": {"kvlistValue": []}}, "attributes[2].value.kvlistValue must be an object, not an array"),
    ],
)
def test_what_is_malformed_says_where(record: Any, body: Any, attribute: object, reason: str) -> None:
    sent = record()
    sent["attributes"].append(attribute)
    with pytest.raises(DecodeError) as raised:
        decode_logs(body(sent))
    assert str(raised.value) == f"resourceLogs[0].scopeLogs[0].logRecords[0].{reason}"


@pytest.mark.parametrize("field", ["resource", "scope"])
def test_what_is_malformed_around_records_says_where(field: str) -> None:
    wrong = {field: {"attributes": 1}}
    logs = {"resource": {}, "scopeLogs": [wrong]} if field == "scope" else wrong
    with pytest.raises(DecodeError) as raised:
        decode_logs(json.dumps({"resourceLogs": [{}, logs]}).encode())
    place = "scopeLogs[0].scope" if field == "scope" else "resource"
    assert str(raised.value) == f"resourceLogs[1].{place}.attributes must be an array, not 1"
