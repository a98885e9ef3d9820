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
        **json.loads(event.document),
    }
