"""An OTLP/HTTP JSON logs body: any bytes give events, refusals with a reason, or DecodeError."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from kmsg_exporter.collector.anyvalue import (
    Malformed,
    any_value,
    attributes,
    attributes_of,
    integer,
    objects,
    shown,
    string,
    wrong,
)
from kmsg_exporter.collector.event import MAX_PATH, Extent, Hello, Sender, StoredEvent, clipped
from kmsg_exporter.collector.weight import Weight, require_few_values
from kmsg_exporter.errors import DecodeError
from kmsg_exporter.model import LEVELS

EVENT_NAME: Final = "kmsg.emptied"
MAX_RECORD_BYTES: Final = 256 * 1024
MAX_COUNT: Final = 2**40  # so that the sum of very many stays within 64 bits

REFUSALS: Final = ("event_name", "uid", "size")  # the kinds of what is refused

_UID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:-]{0,127}")
_DOCUMENT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_CONTENT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_NODE_NAMES: Final = ("k8s.node.name", "host.name", "host.id", "service.instance.id")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one body holds. `refused` has one reason for each record that is not ours to keep, `kinds` a word for it.

    `bytes` is what all of it takes in memory.
    """

    events: tuple[StoredEvent, ...]
    refused: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    hellos: tuple[Hello, ...] = ()
    bytes: int = 0


class _RefusedError(Exception):
    """A well-formed record that this collector does not keep."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def decode_logs(body: bytes) -> Batch:
    """Decode an ExportLogsServiceRequest.

    Raises DecodeError when it is not one: the whole request is malformed and nothing of it may be stored. BodyTooLarge
    when it would take too much memory.
    """
    require_few_values(body)
    request = _parse(body)
    if not isinstance(request, dict):
        wrong(request, "an object", "the body")
    events: list[StoredEvent] = []
    refused: list[tuple[str, str]] = []
    hellos: list[Hello] = []
    weight, where = Weight(), ""
    try:
        for nth, logs in enumerate(objects(request, "resourceLogs")):
            where = at_logs = f"resourceLogs[{nth}]"
            resource = attributes_of(logs, "resource")
            for scope_nth, scope_logs in enumerate(objects(logs, "scopeLogs")):
                where = at_scope = f"{at_logs}.scopeLogs[{scope_nth}]"
                for hello in _hello(resource, attributes_of(scope_logs, "scope")):
                    weight.record()
                    hellos.append(hello)
                for record_nth, record in enumerate(objects(scope_logs, "logRecords")):
                    where = f"{at_scope}.logRecords[{record_nth}]"
                    weight.record()
                    try:
                        events.append(_event(resource, record, weight))
                    except _RefusedError as exc:
                        refused.append((f"{where}: {exc}", exc.kind))
    except Malformed as exc:
        raise (exc.within(where) if where else exc) from None
    reasons, kinds = zip(*refused, strict=True) if refused else ((), ())
    return Batch(tuple(events), reasons, kinds, tuple(hellos), weight.bytes)


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_not_json, parse_float=_finite)
    except UnicodeDecodeError as exc:
        raise DecodeError(f"the body is not UTF-8: {exc.reason} at byte {exc.start}") from exc
    except RecursionError as exc:
        raise DecodeError("the body is nested too deep") from exc
    except ValueError as exc:  # JSONDecodeError, and an integer of thousands of digits
        raise DecodeError(f"the body is not JSON: {exc}") from exc


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is beyond a double")
    return value


def _hello(resource: dict[str, Any], scope: dict[str, Any]) -> Iterator[Hello]:
    """An agent gives its count with its scope, also when it has nothing to send."""
    if "kmsg.sequence" in scope:
        yield Hello(sender_of(resource, scope), _node(resource))


def _event(resource: dict[str, Any], record: dict[str, Any], weight: Weight) -> StoredEvent:
    plain = attributes(record)
    name = string(record, "eventName") or plain.get("event.name")
    time_unix_ns = _unix_ns(record, "timeUnixNano") or _unix_ns(record, "observedTimeUnixNano")
    document = {
        "event_name": EVENT_NAME,
        "body": any_value(record, "body"),
        "severity_number": integer(record, "severityNumber"),
        "resource": resource,
        "attributes": plain,
    }
    if name != EVENT_NAME:
        raise _RefusedError("event_name", f"event {shown(name)} is not {EVENT_NAME}, the only one this collector keeps")
    uid = plain.get("log.record.uid")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise _RefusedError(
            "uid", f"attribute log.record.uid is {shown(uid)}: it must be a UUID or another short plain identifier"
        )
    text = _DOCUMENT.encode(document)
    weight.document(text)
    if len(text) > MAX_RECORD_BYTES or len(text.encode()) > MAX_RECORD_BYTES:
        raise _RefusedError("size", f"the record is over {MAX_RECORD_BYTES} bytes")
    return StoredEvent(
        uid=uid,
        time_unix_ns=time_unix_ns,
        node=_node(resource),
        comm=_text(plain, "kmsg.process.comm"),
        exe=_string(plain, "process.executable.path")[:MAX_PATH],
        origin=_text(plain, "kmsg.process.origin"),
        document=text,
        sender=sender_of(resource, plain),
        extent=extent_of(plain),
        digest=content_digest(time_unix_ns, document),
    )


def _node(resource: dict[str, Any]) -> str:
    return next(filter(None, (_text(resource, key) for key in _NODE_NAMES)), "")


def sender_of(resource: dict[str, Any], attributes: dict[str, Any]) -> Sender:
    """Who sent it, as a record's plain resource and attributes say."""
    return Sender(
        instance=_text(resource, "service.instance.id"),
        boot_id=_text(attributes, "kmsg.boot_id"),
        sequence=_count(attributes, "kmsg.sequence"),
        cluster=_text(resource, "k8s.cluster.name"),
        host_id=_text(resource, "host.id"),
        version=_text(resource, "service.version"),
    )


def extent_of(attributes: dict[str, Any]) -> Extent:
    """How much it was, as a record's plain attributes say."""
    return Extent(
        emptyings=_count(attributes, "kmsg.coalesced") or 1,
        hidden=_count(attributes, "kmsg.hidden.records"),
        severe=_severe(attributes.get("kmsg.hidden.by_level")),
        expected=attributes.get("kmsg.expected") is True,
    )


def content_digest(time_unix_ns: int | None, document: dict[str, Any]) -> bytes:
    """What tells whether two events of one uid are the same.

    The resource is no part of it: an agent that was upgraded between two tries sends the same event.
    """
    content = {name: value for name, value in document.items() if name != "resource"}
    return hashlib.sha256(_CONTENT.encode([time_unix_ns, content]).encode()).digest()[:16]


def _severe(by_level: Any) -> int:
    counts = by_level if isinstance(by_level, dict) else {}
    return min(sum(_count(counts, level) or 0 for level in LEVELS[:4]), MAX_COUNT)


def _unix_ns(record: dict[str, Any], field: str) -> int | None:
    value = integer(record, field)
    return value if value > 0 else None


def _text(attributes: dict[str, Any], key: str) -> str:
    return clipped(_string(attributes, key))


def _string(attributes: dict[str, Any], key: str) -> str:
    value = attributes.get(key)
    return value if isinstance(value, str) else ""


def _count(attributes: dict[str, Any], key: str) -> int | None:
    """A number of things, None for whatever can't be one."""
    value = attributes.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else None
