"""The event as OTLP/JSON: an emptying becomes a log record, records become the body of `POST /v1/logs`."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, Final

from kmsg_exporter import __version__
from kmsg_exporter.model import Actor, Emptying, LogRecord, Process
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sample import line, pick
from kmsg_exporter.push.sentence import sentence

EVENT_NAME: Final = "kmsg.emptied"
MAX_RECORD_BYTES: Final = 64_000
MAX_ACTORS: Final = 10

_WARN: Final = 13
_SAMPLE_FRAME_BYTES: Final = 200  # what the two attributes about the sample take beside its lines
_LINE_FRAME_BYTES: Final = 18  # {"stringValue":...},
_SHORT, _LONG, _LIST = 512, 4096, 8192  # bytes of JSON that one value may take: all of them leave the sample 24 KB
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

Json = Mapping[str, object]


def log_record(
    emptying: Emptying,
    *,
    node: str,
    boot_id: str,
    uid: str,
    sequence: int,
    observed_unix_ns: int,
    owner: str | None = None,
) -> dict[str, object]:
    """The OTLP LogRecord of one emptying, under MAX_RECORD_BYTES as JSON; cut values say so.

    `owner` is the user name behind the actor's user id, where it could be looked up.
    """
    values = {
        "event.name": EVENT_NAME,
        "log.record.uid": uid,
        "kmsg.sequence": sequence,
        "kmsg.boot_id": boot_id,
        "kmsg.boottime_nano": emptying.time_boot_ns,
        "kmsg.action": emptying.action,
        "kmsg.interface": emptying.interface,
        "kmsg.since_unix_nano": emptying.since_unix_ns,
        **_actor(emptying.actor, owner),
        "kmsg.expected": emptying.expected,
        "kmsg.hidden.records": emptying.hidden.records,
        "kmsg.hidden.first_seq": emptying.hidden.first_seq,
        "kmsg.hidden.last_seq": emptying.hidden.last_seq,
        "kmsg.hidden.by_level": dict(emptying.hidden.by_level) or None,
        "kmsg.coalesced": emptying.coalesced,
        "kmsg.actors": _clipped(emptying.actors[:MAX_ACTORS], _LIST) or None,
    }
    record: dict[str, object] = {
        "timeUnixNano": str(emptying.time_unix_ns),
        "observedTimeUnixNano": str(observed_unix_ns),
        "severityNumber": _WARN,
        "severityText": "WARN",
        "eventName": EVENT_NAME,
        "body": {"stringValue": clip(sentence(emptying, node), _LONG)},
        "attributes": attributes(values),
    }
    sample, cut = _fitted(emptying.hidden.sample, MAX_RECORD_BYTES - _SAMPLE_FRAME_BYTES - len(dump(record)))
    about_sample = {
        "kmsg.hidden.sample": sample or None,
        "kmsg.hidden.sample_omitted": emptying.hidden.sample_omitted + cut or None,
    }
    record["attributes"] = attributes({**values, **about_sample})
    return record


def renumbered(record: Mapping[str, Any], *, uid: str, sequence: int) -> dict[str, object]:
    """The record with another uid and sequence number than those it was made with."""
    fresh = {"log.record.uid": uid, "kmsg.sequence": sequence}
    return {
        **record,
        "attributes": [
            {"key": one["key"], "value": _value(fresh[one["key"]])} if one["key"] in fresh else one
            for one in record["attributes"]
        ],
    }


def request(resource: Resource, records: Sequence[Json], *, scope: Json | None = None) -> dict[str, object]:
    """The body of `POST /v1/logs` for LogRecords of this agent; `scope` adds to what the scope says."""
    about: dict[str, object] = {"name": "kmsg_exporter", "version": __version__, **(scope or {})}
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": attributes(resource.attributes)},
                "scopeLogs": [
                    {
                        "scope": about,
                        "logRecords": list(records),
                    }
                ],
            }
        ]
    }


def dump(value: object) -> bytes:
    """Compact JSON in UTF-8. The strings in it must have been through `clip` or `valid`."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def valid(text: str) -> str:
    """The text with U+FFFD for what UTF-8 can't hold (bytes that os.fsdecode could not decode)."""
    return _SURROGATE.sub("\ufffd", text)


def clip(text: str, max_bytes: int) -> str:
    """Valid text that takes at most `max_bytes` of JSON, quotes included; ends in `…` when it was cut."""
    text = valid(text[:max_bytes])
    if len(dump(text)) <= max_bytes:
        return text
    room = max_bytes - len("…".encode())
    return text[: bisect_right(range(len(text)), room, key=lambda end: len(dump(text[:end]))) - 1] + "…"


def _actor(actor: Actor | None, owner: str | None) -> dict[str, object]:
    if actor is None:
        return {"kmsg.attribution.source": "none"}
    return {
        "process.pid": actor.pid,
        "process.parent_pid": actor.parent_pid,
        "process.executable.path": clip(actor.exe, _LONG) or None,
        "process.command_args": _clipped(actor.command_args or (), _LIST) or None,
        "process.owner": clip(owner, _SHORT) if owner else None,
        "process.user.id": actor.user_id,
        "kmsg.process.comm": clip(actor.comm, _SHORT),
        "kmsg.process.origin": clip(actor.origin, _SHORT) or None,
        "kmsg.process.ancestors": _clipped([_ancestor(process) for process in actor.ancestors], _LIST) or None,
        "kmsg.process.derived": actor.derived or None,
        "kmsg.process.container.id": clip(actor.container_id, _SHORT) if actor.container_id else None,
        "kmsg.process.pod.uid": clip(actor.pod_uid, _SHORT) if actor.pod_uid else None,
        "kmsg.attribution.source": actor.source,
    }


def _ancestor(process: Process) -> str:
    return f"{process.pid} {process.comm} {process.exe}".rstrip(" ")


def _clipped(texts: Sequence[str], max_bytes: int) -> list[str]:
    """As many as fit, each at most a quarter of the room; a last `[3 more]` says how many do not."""
    kept: list[str] = []
    left = max_bytes - 64
    for text in texts:
        clipped = clip(text, max_bytes // 4)
        left -= len(dump(clipped)) + _LINE_FRAME_BYTES
        if left < 0:
            return [*kept, f"[{len(texts) - len(kept)} more]"]
        kept.append(clipped)
    return kept


def _fitted(sample: Sequence[LogRecord], room_bytes: int) -> tuple[list[str], int]:
    """The sample's lines that fit, in log order, and how many do not."""

    def fits(record: LogRecord) -> bool:
        nonlocal room_bytes
        cost = len(dump(valid(line(record)))) + _LINE_FRAME_BYTES
        if cost > room_bytes:
            return False
        room_bytes -= cost
        return True

    kept = pick(sample, fits)
    return [valid(line(record)) for record in kept], len(sample) - len(kept)


def attributes(values: Mapping[str, object]) -> list[dict[str, object]]:
    """OTLP KeyValues; what is None is left out."""
    return [{"key": valid(key), "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: object) -> dict[str, object]:
    """OTLP AnyValue. 64-bit integers are decimal strings in OTLP/JSON."""
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case dict():
            return {"kvlistValue": {"values": attributes(value)}}
        case list():
            return {"arrayValue": {"values": [_value(item) for item in value]}}
        case _:
            return {"stringValue": valid(str(value))}
