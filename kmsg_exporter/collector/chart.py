"""The chart of emptyings over time, as the places and sizes of what is drawn and as the words beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from kmsg_exporter.collector.counting import Bar
from kmsg_exporter.collector.moments import counted, labels

HEIGHT: Final = 144
_LEAST: Final = 2.0  # pixels: one emptying is seen beside a thousand


@dataclass(frozen=True, slots=True)
class Piece:
    """One colour of a bar, in pixels from the top."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One bar: its place across in percent, what it is made of, what it says, and the page of its events."""

    x: float
    width: float
    pieces: tuple[Piece, ...]
    local: str
    utc: str
    bar: Bar
    href: str

    @property
    def title(self) -> str:
        parts = [f"{counted(self.bar.total, 'emptying')}"]
        if self.bar.severe:
            parts.append(f"{self.bar.severe:,} hid errors or worse")
        if self.bar.expected:
            parts.append(f"{self.bar.expected:,} expected")
        return f"{self.local}{f' ({self.utc})' if self.utc else ''}: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Chart:
    """`ticks` are heights with their number, `marks` places across with their time; `zone` names the times' zone."""

    height: int
    columns: tuple[Column, ...]
    ticks: tuple[tuple[float, str], ...]
    marks: tuple[tuple[float, str], ...]
    zone: str
    total: Bar
    length: str


def chart(
    edges: Sequence[int],
    bars: Sequence[Bar],
    href: Callable[[int, int], str],
    *,
    zone: tzinfo | None = None,
) -> Chart:
    """`edges` in nanoseconds, one more than bars; `href` makes a link of two of them."""
    first, last = edges[0], edges[-1]
    top = _top(max(bar.total for bar in bars))

    def across(at: int) -> float:
        return round((at - first) / (last - first) * 100, 3)

    columns = tuple(
        Column(
            x=across(begin),
            width=round(across(end) - across(begin), 3),
            pieces=_pieces(bar, top),
            local=_stretch(begin, end, zone),
            utc="" if _is_utc(begin, zone) else _stretch(begin, end, UTC),
            bar=bar,
            href=href(begin, end),
        )
        for begin, end, bar in zip(edges[:-1], edges[1:], bars, strict=True)
    )
    return Chart(
        height=HEIGHT,
        columns=columns,
        ticks=tuple((round(HEIGHT * (1 - value / top), 1), f"{value:,}") for value in (top, top // 2) if value),
        marks=tuple((across(at), text) for at, text in labels(edges, zone=zone) if across(at) <= 97),
        zone=_zone(first, last, zone),
        total=Bar(*(sum(getattr(bar, kind) for bar in bars) for kind in ("severe", "other", "expected"))),
        length=_length(edges),
    )


def _pieces(bar: Bar, top: int) -> tuple[Piece, ...]:
    pieces, y = [], float(HEIGHT)
    for kind in ("severe", "other", "expected"):
        if count := getattr(bar, kind):
            height = max(count / top * HEIGHT, _LEAST)
            y -= height
            pieces.append(Piece(kind, round(y, 2), round(height, 2)))
    return tuple(pieces)


def _top(most: int) -> int:
    """The least of 2, 4, 6, 8, 10, 20, 30, 40, 50, 60, 80, 100, ... that is not below: its half is whole, too."""
    size = 1
    while True:
        for factor in (2, 3, 4, 5, 6, 8, 10):
            if factor * size >= most and factor * size % 2 == 0:
                return factor * size
        size *= 10


def _stretch(begin: int, end: int, zone: tzinfo | None) -> str:
    """`Mon 23 Nov 03:00 to 06:00 CET`."""
    a, b = (datetime.fromtimestamp(each // 10**9, UTC).astimezone(zone) for each in (begin, end))
    clock = "%H:%M:%S" if (end - begin) < 60 * 10**9 else "%H:%M"
    if (end - begin) >= 20 * 3600 * 10**9 and a.hour == b.hour == 0:
        return (
            f"{a:%a} {a.day} {a:%b %Y}" if (b.date() - a.date()).days == 1 else f"{a.day} {a:%b} to {b.day} {b:%b %Y}"
        )
    until = f"{b:{clock}}" if a.date() == b.date() or (b.hour, b.minute) == (0, 0) else f"{b.day} {b:%b} {b:{clock}}"
    return f"{a:%a} {a.day} {a:%b} {a:{clock}} to {until} {b.tzname()}"


def _is_utc(at: int, zone: tzinfo | None) -> bool:
    return not datetime.fromtimestamp(at // 10**9, UTC).astimezone(zone).utcoffset()


def _zone(first: int, last: int, zone: tzinfo | None) -> str:
    names = [datetime.fromtimestamp(each // 10**9, UTC).astimezone(zone).tzname() or "" for each in (first, last)]
    return " and ".join(dict.fromkeys(names))


def _length(edges: Sequence[int]) -> str:
    """How long one bar is, as `1 hour` or `3 hours`."""
    seconds = (edges[1] - edges[0]) // 10**9 if len(edges) == 2 else (edges[-2] - edges[-3]) // 10**9
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return counted(seconds // size, unit)
    return counted(seconds, "second")
