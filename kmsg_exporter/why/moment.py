"""Moments as a person types and reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_SPANS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN: Final = re.compile(r"(\d{1,9})([smhdw])(?: ago)?")
ALLOWED: Final = "a time like 2026-11-23, '2026-11-23 09:30', 2026-11-23T09:30:00Z, 30m, 2h, 7d, today or yesterday"


def parse(text: str, *, now: datetime) -> float:
    """Unix seconds. What has no zone is local time; `30m` is so long ago, and `-30m`, as journalctl has it.

    Raises ValueError, with what is allowed.
    """
    midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("now", "today", "yesterday"):
        moment = {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}[text]
        return moment.timestamp()
    if span := _SPAN.fullmatch(text.removeprefix("-")):
        return now.timestamp() - int(span[1]) * _SPANS[span[2]]
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as exc:
        raise ValueError(f"is not {ALLOWED}") from exc


def local(unix: float) -> str:
    """E.g. `2026-11-23 09:39:41`, in local time."""
    return f"{_datetime(unix).astimezone():%Y-%m-%d %H:%M:%S}"


def utc(unix: float) -> str:
    """E.g. `2026-11-23T09:39:41Z`."""
    return f"{_datetime(unix):%Y-%m-%dT%H:%M:%SZ}"


def _datetime(unix: float) -> datetime:
    try:
        return datetime.fromtimestamp(unix, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)  # a clock that was this wrong says nothing
