"""An OTLP/HTTP JSON logs body: any bytes give events, refusals with a reason, or DecodeError."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from kmsg_exporter.collector.event import Extent, Hello, Sender, StoredEvent
from kmsg_exporter.errors import DecodeError
from kmsg_exporter.model import LEVELS

EVENT_NAME: Final = "kmsg.emptied"
MAX_RECORD_BYTES: Final = 256 * 1024
MAX_VALUE_DEPTH: Final = 16
MAX_COUNT: Final = 2**40  # so that the sum of very many stays within 64 bits

REFUSALS: Final = ("event_name", "uid", "size")  # the kinds of what is refused

_UID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._:-]{0,127}")
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NODE_NAMES: Final = ("k8s.node.name", "host.name", "host.id", "service.instance.id")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one body holds. `refused` has one reason for each record that is not ours to keep, `kinds` a word for it."""

    events: tuple[StoredEvent, ...]
    refused: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    hellos: tuple[Hello, ...] = ()


class _RefusedError(Exception):
    """A well-formed record that this collector does not keep."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def decode_logs(body: bytes) -> Batch:
    """Decode an ExportLogsServiceRequest.

    Raises DecodeError when it is not one: the whole request is malformed and nothing of it may be stored.
    """
    request = _object(_parse(body), "the body")
    events: list[StoredEvent] = []
    refused: list[tuple[str, str]] = []
    hellos: list[Hello] = []
    for scope_where, resource, scope_logs in _scopes(request):
        hellos += _hellos(scope_where, resource, scope_logs)
        for where, record in _objects(scope_logs, "logRecords", f"{scope_where}."):
            try:
                events.append(_event(where, resource, record))
            except _RefusedError as exc:
                refused.append((f"{where}: {exc}", exc.kind))
    reasons, kinds = zip(*refused, strict=True) if refused else ((), ())
    return Batch(tuple(events), reasons, kinds, tuple(hellos))


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


def _scopes(request: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    for where, resource_logs in _objects(request, "resourceLogs", ""):
        resource = _optional_object(resource_logs, "resource", f"{where}.")
        attributes = _attributes(resource, f"{where}.resource")
        for scope_where, scope_logs in _objects(resource_logs, "scopeLogs", f"{where}."):
            yield scope_where, attributes, scope_logs


def _hellos(where: str, resource: dict[str, Any], scope_logs: dict[str, Any]) -> Iterator[Hello]:
    """An agent gives its count with its scope, also when it has nothing to send."""
    scope = _optional_object(scope_logs, "scope", f"{where}.")
    attributes = _attributes(scope, f"{where}.scope")
    if "kmsg.sequence" in attributes:
        yield Hello(sender_of(resource, attributes), _node(resource))


def _event(where: str, resource: dict[str, Any], record: dict[str, Any]) -> StoredEvent:
    attributes = _attributes(record, where)
    name = _string(record, "eventName", where) or attributes.get("event.name")
    time_unix_ns = _unix_ns(record, "timeUnixNano", where) or _unix_ns(record, "observedTimeUnixNano", where)
    document = {
        "event_name": EVENT_NAME,
        "body": _value(record.get("body"), f"{where}.body"),
        "severity_number": _optional_integer(record, "severityNumber", where),
        "resource": resource,
        "attributes": attributes,
    }
    if name != EVENT_NAME:
        raise _RefusedError(
            "event_name", f"event {_shown(name)} is not {EVENT_NAME}, the only one this collector keeps"
        )
    uid = attributes.get("log.record.uid")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise _RefusedError(
            "uid", f"attribute log.record.uid is {_shown(uid)}: it must be a UUID or another short plain identifier"
        )
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    if len(text) > MAX_RECORD_BYTES or len(text.encode()) > MAX_RECORD_BYTES:
        raise _RefusedError("size", f"the record is over {MAX_RECORD_BYTES} bytes")
    return StoredEvent(
        uid=uid,
        time_unix_ns=time_unix_ns,
        node=_node(resource),
        comm=_text(attributes, "kmsg.process.comm"),
        exe=_text(attributes, "process.executable.path"),
        origin=_text(attributes, "kmsg.process.origin"),
        document=text,
        sender=sender_of(resource, attributes),
        extent=extent_of(attributes),
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
    text = json.dumps([time_unix_ns, content], ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).digest()[:16]


def _severe(by_level: Any) -> int:
    counts = by_level if isinstance(by_level, dict) else {}
    return min(sum(_count(counts, level) or 0 for level in LEVELS[:4]), MAX_COUNT)


def _attributes(holder: dict[str, Any], where: str) -> dict[str, Any]:
    return _keyed(holder, "attributes", f"{where}.", 0)


def _keyed(holder: dict[str, Any], field: str, where: str, depth: int) -> dict[str, Any]:
    return {
        _string(pair, "key", at): _value(pair.get("value"), f"{at}.value", depth)
        for at, pair in _objects(holder, field, where)
    }


def _value(value: Any, where: str, depth: int = 0) -> Any:
    """One AnyValue as a plain value; an empty one is None, bytes stay base64."""
    if depth > MAX_VALUE_DEPTH:
        raise DecodeError(f"{where[:80]} is nested deeper than {MAX_VALUE_DEPTH} values")
    fields = {} if value is None else _object(value, where)
    for kind in ("stringValue", "bytesValue"):
        if fields.get(kind) is not None:
            return _string(fields, kind, where)
    if (boolean := fields.get("boolValue")) is not None:
        return boolean if isinstance(boolean, bool) else _wrong(boolean, f"{where}.boolValue", "true or false")
    if (integer := fields.get("intValue")) is not None:
        return _integer(integer, f"{where}.intValue")
    if (double := fields.get("doubleValue")) is not None:
        return _double(double, f"{where}.doubleValue")
    if (array := fields.get("arrayValue")) is not None:
        at = f"{where}.arrayValue"
        return [_value(item, path, depth + 1) for path, item in _items(_object(array, at), "values", f"{at}.")]
    if (kvlist := fields.get("kvlistValue")) is not None:
        at = f"{where}.kvlistValue"
        return _keyed(_object(kvlist, at), "values", f"{at}.", depth + 1)
    return None


def _items(holder: dict[str, Any], field: str, where: str) -> Iterator[tuple[str, Any]]:
    value = holder.get(field)
    items = value if isinstance(value, list) else [] if value is None else _wrong(value, f"{where}{field}", "an array")
    return ((f"{where}{field}[{index}]", item) for index, item in enumerate(items))


def _objects(holder: dict[str, Any], field: str, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((at, _object(item, at)) for at, item in _items(holder, field, where))


def _object(value: Any, where: str) -> dict[str, Any]:
    return value if isinstance(value, dict) else _wrong(value, where, "an object")


def _optional_object(holder: dict[str, Any], field: str, where: str) -> dict[str, Any]:
    value = holder.get(field)
    return {} if value is None else _object(value, f"{where}{field}")


def _string(holder: dict[str, Any], field: str, where: str) -> str:
    value = holder.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        _wrong(value, f"{where}.{field}", "a string")
    return _LONE_SURROGATE.sub("\ufffd", value)


def _integer(value: Any, where: str) -> int:
    """A 64-bit integer, which OTLP writes as a decimal string."""
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        _wrong(value, where, "a 64-bit integer")
    return int(value)


def _optional_integer(holder: dict[str, Any], field: str, where: str) -> int:
    value = holder.get(field)
    return 0 if value is None else _integer(value, f"{where}.{field}")


def _double(value: Any, where: str) -> float | str:
    if value in ("NaN", "Infinity", "-Infinity"):  # protobuf's JSON writes them so, and JSON has no other way
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > sys.float_info.max:
        _wrong(value, where, "a number")
    return float(value)


def _unix_ns(record: dict[str, Any], field: str, where: str) -> int | None:
    value = _optional_integer(record, field, where)
    return value if value > 0 else None


def _text(attributes: dict[str, Any], key: str) -> str:
    value = attributes.get(key)
    return value if isinstance(value, str) else ""


def _count(attributes: dict[str, Any], key: str) -> int | None:
    """A number of things, None for whatever can't be one."""
    value = attributes.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else None


def _wrong(value: Any, where: str, wanted: str) -> NoReturn:
    raise DecodeError(f"{where} must be {wanted}, not {_shown(value)}")


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "missing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = ascii(value) if isinstance(value, str | bool | float) or abs(value) < 10**40 else "a huge number"
    return text if len(text) <= 60 else f"{text[:60]}..."
