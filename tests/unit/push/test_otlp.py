"""The event as OTLP/JSON: whole, without an actor, hostile, and too large."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord, Process
from kmsg_exporter.push.otlp import MAX_RECORD_BYTES, clip, dump, log_record, request
from kmsg_exporter.push.resource import Resource

UID = "0190163d-8694-739b-aea5-966c26f8ad91"
ACTOR = Actor(pid=4242, tid=4243, comm="dmesg", exe="/usr/bin/dmesg", source="procfs")
EMPTYING = Emptying(time_unix_ns=1_767_323_045_000_000_000, hidden=Hidden(records=1), action="clear", actor=ACTOR)
TEXT = st.text(st.characters(codec=None), max_size=3000)


def rendered(emptying: Emptying) -> dict[str, object]:
    return log_record(emptying, node="node-7", boot_id="b", uid=UID, sequence=3, observed_unix_ns=5)


def attributes(record: dict[str, object]) -> dict[str, object]:
    pairs = json.loads(dump(record["attributes"]))
    assert len({pair["key"].replace(".", "_").replace("-", "_") for pair in pairs}) == len(pairs)
    return {pair["key"]: pair["value"] for pair in pairs}


def test_an_emptying_nobody_explains_has_no_attributes_of_a_process() -> None:
    emptying = Emptying(time_unix_ns=7, hidden=Hidden(), since_unix_ns=5, time_boot_ns=3)
    assert log_record(emptying, node="n", boot_id="b", uid=UID, sequence=1, observed_unix_ns=9) == {
        "timeUnixNano": "7",
        "observedTimeUnixNano": "9",
        "severityNumber": 13,
        "severityText": "WARN",
        "eventName": "kmsg.emptied",
        "body": {
            "stringValue": "dmesg on n was emptied by an unknown process between 1970-01-01T00:00:00Z and "
            "1970-01-01T00:00:00Z; how many records are hidden is not known."
        },
        "attributes": [
            {"key": "event.name", "value": {"stringValue": "kmsg.emptied"}},
            {"key": "log.record.uid", "value": {"stringValue": UID}},
            {"key": "kmsg.sequence", "value": {"intValue": "1"}},
            {"key": "kmsg.boot_id", "value": {"stringValue": "b"}},
            {"key": "kmsg.boottime_nano", "value": {"intValue": "3"}},
            {"key": "kmsg.since_unix_nano", "value": {"intValue": "5"}},
            {"key": "kmsg.attribution.source", "value": {"stringValue": "none"}},
            {"key": "kmsg.expected", "value": {"boolValue": False}},
            {"key": "kmsg.coalesced", "value": {"intValue": "1"}},
        ],
    }


def test_a_request_wraps_records_in_resource_and_scope() -> None:
    assert request(Resource({"host.name": "node-7"}), [{"eventName": "kmsg.emptied"}]) == {
        "resourceLogs": [
            {
                "resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "node-7"}}]},
                "scopeLogs": [
                    {
                        "scope": {"name": "kmsg_exporter", "version": "0.1.0"},
                        "logRecords": [{"eventName": "kmsg.emptied"}],
                    }
                ],
            }
        ]
    }


def test_arguments_are_there_only_when_given() -> None:
    assert "process.command_args" not in attributes(rendered(EMPTYING))
    actor = replace(ACTOR, command_args=("dmesg", "-C"))
    assert attributes(rendered(replace(EMPTYING, actor=actor)))["process.command_args"] == {
        "arrayValue": {"values": [{"stringValue": "dmesg"}, {"stringValue": "-C"}]}
    }


def test_at_most_ten_actors_are_listed() -> None:
    emptying = replace(EMPTYING, coalesced=12, actors=tuple(f"dmesg /usr/bin/dmesg{n}" for n in range(12)))
    assert len(attributes(rendered(emptying))["kmsg.actors"]["arrayValue"]["values"]) == 10  # type: ignore[index]


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    actor = replace(ACTOR, comm="d\udcffg", exe="/tmp/\udc80", ancestors=(Process(1, "\ud800", ""),))
    found = attributes(rendered(replace(EMPTYING, actor=actor)))
    assert found["kmsg.process.comm"] == {"stringValue": "d\ufffdg"}
    assert found["process.executable.path"] == {"stringValue": "/tmp/\ufffd"}
    assert found["kmsg.process.ancestors"] == {"arrayValue": {"values": [{"stringValue": "1 \ufffd"}]}}


def test_a_sample_that_does_not_fit_loses_old_chatter_first_and_says_how_much() -> None:
    sample = (
        LogRecord(text="first error", level=3),
        LogRecord(text="Out of memory: Killed process 77 (java)", level=6),
        *(LogRecord(text=f"{n} " + "x" * 1000, level=6) for n in range(100)),
    )
    record = rendered(replace(EMPTYING, hidden=Hidden(records=150, sample=sample, sample_omitted=48)))
    found = attributes(record)
    lines = [value["stringValue"] for value in found["kmsg.hidden.sample"]["arrayValue"]["values"]]  # type: ignore[index]
    assert lines[:2] == ["<3>first error", "<6>Out of memory: Killed process 77 (java)"]
    assert lines[2:] == ["<6>" + record.text for record in sample[-len(lines) + 2 :]]
    assert found["kmsg.hidden.sample_omitted"] == {"intValue": str(150 - len(lines))}
    assert 60_000 < len(dump(record)) < MAX_RECORD_BYTES


def test_the_most_hostile_process_still_leaves_room_for_a_sample() -> None:
    nasty = "\x01" * 5000
    actor = replace(
        ACTOR,
        comm=nasty,
        exe=nasty,
        origin=nasty,
        ancestors=tuple(Process(n, nasty, nasty) for n in range(500)),
        command_args=(nasty,) * 500,
        container_id=nasty,
        pod_uid=nasty,
    )
    sample = (LogRecord(text="x" * 20_000, level=6),)
    record = rendered(
        Emptying(time_unix_ns=1, hidden=Hidden(sample=sample), actor=actor, coalesced=9, actors=(nasty,) * 9)
    )
    found = attributes(record)
    assert len(dump(record)) < MAX_RECORD_BYTES
    assert "kmsg.hidden.sample" in found
    ancestors = found["kmsg.process.ancestors"]["arrayValue"]["values"]  # type: ignore[index]
    assert ancestors[-1]["stringValue"] == f"[{500 - len(ancestors) + 1} more]"


@given(TEXT, st.integers(min_value=5, max_value=400))
def test_a_clipped_text_takes_no_more_than_its_room(text: str, room: int) -> None:
    assert len(dump(clip(text, room))) <= room


@given(st.builds(Actor, pid=st.integers(), tid=st.integers(), comm=TEXT, exe=TEXT, source=st.just("procfs")), TEXT)
def test_any_text_gives_valid_json_under_the_limit(actor: Actor, text: str) -> None:
    hidden = Hidden(sample=(LogRecord(text=text, level=3),) * 30)
    record = rendered(replace(EMPTYING, actor=actor, hidden=hidden))
    body = dump(record)
    assert json.loads(body.decode("utf-8", "strict")) == record
    assert len(body) < MAX_RECORD_BYTES


@pytest.mark.parametrize("room", [5, 6, 7])
def test_the_cut_is_shown(room: int) -> None:
    assert clip("abcdefgh", room) == "abcdefgh"[: room - 5] + "…"
