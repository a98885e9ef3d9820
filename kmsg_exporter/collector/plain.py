"""A stored event as plain JSON: what `/api/events` gives."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from kmsg_exporter.collector.event import ReceivedEvent


def plain_event(received: ReceivedEvent) -> dict[str, Any]:
    """Times are RFC 3339 in UTC and, exact, nanoseconds as decimal strings; `time` is null when none was given."""
    event = received.event
    return {
        "uid": event.uid,
        "time": None if event.time_unix_ns is None else rfc3339(event.time_unix_ns),
        "time_unix_nano": None if event.time_unix_ns is None else str(event.time_unix_ns),
        "received": rfc3339(received.received_unix_ns),
        "received_unix_nano": str(received.received_unix_ns),
        "node": event.node,
        "comm": event.comm,
        "exe": event.exe,
        "origin": event.origin,
        **json.loads(event.document),
    }


def rfc3339(unix_ns: int) -> str:
    """`2026-02-03T04:05:06.789Z`."""
    moment = datetime.fromtimestamp(unix_ns // 10**9, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{unix_ns // 10**6 % 1000:03d}Z"
