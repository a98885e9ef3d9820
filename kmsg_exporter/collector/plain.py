"""A stored event as plain JSON: what `/api/events` gives."""

from __future__ import annotations

import json
from typing import Any

from kmsg_exporter.collector.event import ReceivedEvent
from kmsg_exporter.collector.moments import rfc3339


def plain_event(received: ReceivedEvent) -> dict[str, Any]:
    """The columns by which it is found, then the record as it came.

    Times are RFC 3339 in UTC and, exact, nanoseconds as decimal strings; `time` is null when none was given.
    """
    return {**_columns(received), **json.loads(received.event.document)}


def event_json(received: ReceivedEvent) -> bytes:
    """The same as JSON, without taking the record apart: hundreds of them are one answer."""
    columns = json.dumps(_columns(received), ensure_ascii=False, separators=(",", ":"))
    return f"{columns[:-1]},{received.event.document[1:]}".encode()


def _columns(received: ReceivedEvent) -> dict[str, Any]:
    event = received.event
    return {
        "uid": event.uid,
        "variant": received.variant,
        "time": None if event.time_unix_ns is None else rfc3339(event.time_unix_ns),
        "time_unix_nano": None if event.time_unix_ns is None else str(event.time_unix_ns),
        "received": rfc3339(received.received_unix_ns),
        "received_unix_nano": str(received.received_unix_ns),
        "node": event.node,
        "cluster": event.sender.cluster,
        "comm": event.comm,
        "exe": event.exe,
        "origin": event.origin,
        "expected": event.extent.expected,
        "emptyings": event.extent.emptyings,
        "hidden": event.extent.hidden,
        "severe": event.extent.severe,
    }
