"""Times as a person reads them: local and UTC, how long ago, and the stretches that a chart is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

MAX_BARS: Final = 72

_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_SHORT: Final = {"day": "d", "hour": "h", "minute": "min", "second": "s"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_STEPS: Final = (
    1, 5, 15, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE,
    _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 28 * _DAY, 91 * _DAY,
)  # fmt: skip
_SOMEDAY: Final = datetime(2024, 1, 1)  # noqa: DTZ001 - a Monday, of whatever zone


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant in several ways. `utc` is None when local time is UTC; `brief` is `ago` for a table."""

    iso: str
    local: str
    utc: str | None
    ago: str
    brief: str


def moment(unix_ns: int, *, now_ns: int, zone: tzinfo | None = None) -> Moment:
    """Never fails for a 64-bit number of nanoseconds."""
    utc = datetime.fromtimestamp(unix_ns // 10**9, UTC)
    local = utc.astimezone(zone)
    return Moment(
        iso=f"{utc:%Y-%m-%dT%H:%M:%SZ}",
        local=f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}",
        utc=None if local.utcoffset() == utc.utcoffset() else f"{utc:%Y-%m-%d %H:%M:%S} UTC",
        ago=_ago((now_ns - unix_ns) // 10**9),
        brief=_brief((now_ns - unix_ns) // 10**9),
    )


def rfc3339(unix_ns: int, *, up: bool = False) -> str:
    """`2026-02-03T04:05:06.789Z`, the millisecond that it is in, or that is not before it."""
    if up:
        unix_ns += 10**6 - 1
    at = datetime.fromtimestamp(unix_ns // 10**9, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{unix_ns // 10**6 % 1000:03d}Z"


def span(seconds: int) -> str:
    """`4 minutes`: the largest unit alone."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= size or size == 1)
    return counted(seconds // size, unit)


def counted(count: int, noun: str) -> str:
    """`1 node`, `1,284 nodes`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def bar_edges(since_ns: int, until_ns: int, *, zone: tzinfo | None = None) -> tuple[int, ...]:
    """Where the bars of a chart begin and end: at most MAX_BARS of one of a clock's own lengths.

    They begin at full hours and days of the zone (None: this machine's own), so that the first and the last may reach
    beyond; a day on which the clock is set is one hour longer or shorter.
    """
    seconds = max((until_ns - since_ns) // 10**9, 1)
    step = next((step for step in _STEPS if seconds / step <= MAX_BARS - 2), _STEPS[-1])
    edges = [_floor(since_ns // 10**9, step, zone)]
    while edges[-1] * 10**9 < until_ns:
        edges.append(_next(edges[-1], step, zone))
    if len(edges) == 1:
        edges.append(_next(edges[0], step, zone))
    return tuple(edge * 10**9 for edge in edges)


def _floor(seconds: int, step: int, zone: tzinfo | None) -> int:
    if step < _HOUR:
        return seconds // step * step
    local = _local(seconds, zone).replace(tzinfo=None)
    floored = _SOMEDAY + (local - _SOMEDAY) // timedelta(seconds=step) * timedelta(seconds=step)
    return min(_unix(floored, zone), seconds)


def _next(seconds: int, step: int, zone: tzinfo | None) -> int:
    if step <= _HOUR:
        return seconds + step
    local = _local(seconds, zone).replace(tzinfo=None) + timedelta(seconds=step, microseconds=1)
    following = _SOMEDAY + (local - _SOMEDAY) // timedelta(seconds=step) * timedelta(seconds=step)
    return max(_unix(following, zone), seconds + 1)


def _local(seconds: int, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone)


def _unix(local: datetime, zone: tzinfo | None) -> int:
    return int((local.replace(tzinfo=zone) if zone else local.astimezone()).timestamp())


def _ago(seconds: int) -> str:
    if abs(seconds) < 2:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def _brief(seconds: int) -> str:
    if abs(seconds) < 2:
        return "now"
    words = span(abs(seconds)).replace(",", "")
    count, unit = words.split(" ")
    short = f"{count} {_SHORT[unit.removesuffix('s')]}"
    return f"{short} ago" if seconds > 0 else f"in {short}"


def labels(edges: Sequence[int], *, zone: tzinfo | None = None) -> tuple[tuple[int, str], ...]:
    """Which edges to name below the chart, at most eight, and how: midnights by their day, others by the clock."""
    seconds = [edge // 10**9 for edge in edges]
    local = [_local(each, zone) for each in seconds]
    whole = (seconds[-1] - seconds[0]) / 8
    for step in _STEPS:
        if step < whole:
            continue
        chosen = [index for index, each in enumerate(seconds) if _floor(each, step, zone) == each]
        if chosen:
            return tuple((seconds[index] * 10**9, _label(local[index], step)) for index in chosen)
    return ((edges[0], _label(local[0], 1)),)


def _label(local: datetime, step: int) -> str:
    if step >= 28 * _DAY:
        return f"{local:%b %Y}"
    if step >= _DAY or (local.hour, local.minute, local.second) == (0, 0, 0):
        return f"{local.day} {local:%b}"
    return f"{local:%H:%M:%S}" if step < _MINUTE else f"{local:%H:%M}"
