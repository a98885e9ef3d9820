"""Charts as SVG: axes with round numbers and times, lines, bars, stacked areas, states."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

LEFT, RIGHT, TOP, BOTTOM = 58, 8, 8, 20
TICKS = (60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)


@dataclass(frozen=True)
class Series:
    """A named line: (time, value), oldest first."""

    name: str
    color: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Frame:
    """Where a chart is drawn: its size in pixels, the time it shows."""

    width: float
    height: float
    start: float
    end: float

    def x(self, moment: float) -> float:
        return LEFT + (moment - self.start) / (self.end - self.start) * (self.width - LEFT - RIGHT)

    def svg(self, *parts: str) -> str:
        return f'<svg width="{self.width:.0f}" height="{self.height:.0f}">{"".join(parts)}</svg>'

    def time_axis(self) -> str:
        span = self.end - self.start
        tick = next((tick for tick in TICKS if span / tick * 55 <= self.width - LEFT - RIGHT), TICKS[-1])
        form = "%H:%M" if span <= 2 * 86400 else "%d %b"
        moments = range(math.ceil(self.start / tick) * tick, int(self.end) + 1, tick)
        return "".join(
            f'<line class="grid" x1="{self.x(at):.1f}" x2="{self.x(at):.1f}" y1="{TOP}" y2="{self.height - BOTTOM}"/>'
            f'<text x="{self.x(at):.1f}" y="{self.height - 5}" text-anchor="middle">'
            f"{time.strftime(form, time.gmtime(at))}</text>"
            for at in moments
        )

    def marks(self, moments: Sequence[float]) -> str:
        """Annotations."""
        return "".join(
            f'<line class="mark" x1="{self.x(at):.1f}" x2="{self.x(at):.1f}" y1="{TOP}" y2="{self.height - BOTTOM}"/>'
            for at in moments
        )


def round_ticks(top: float, *, whole: bool, unit: float = 1.0) -> list[float]:
    """At most six round numbers from 0 to just above `top`, counted in `unit`."""
    if unit > 1:
        return [tick * unit for tick in round_ticks(top / unit, whole=whole)]
    rough = max(top, 1e-9) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    step = max(1.0, math.ceil(step)) if whole else step
    return [step * index for index in range(math.ceil(top / step - 1e-9) + 1)] if top > 0 else [0.0, step]


def chart(
    frame: Frame,
    series: Sequence[Series],
    label: Callable[[float], str],
    *,
    step: float,
    bars: bool,
    stacked: bool,
    whole: bool,
    unit: float = 1.0,
    marks: Sequence[float] = (),
) -> str:
    """Lines, or bars, or stacked areas."""
    base: dict[float, float] = {}
    tops: list[list[tuple[float, float, float]]] = []
    for one in series:
        rows = [(at, base.get(at, 0.0), base.get(at, 0.0) + value) for at, value in one.points if not math.isnan(value)]
        if stacked:
            base |= {at: top for at, _, top in rows}
        tops.append(rows)
    ticks = round_ticks(max((top for rows in tops for _, _, top in rows), default=1.0), whole=whole, unit=unit)
    room = frame.height - TOP - BOTTOM

    def y(value: float) -> float:
        return frame.height - BOTTOM - value / ticks[-1] * room

    parts = [frame.time_axis()]
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{frame.width - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        )
        parts.append(f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{escape(label(tick))}</text>')
    wide = max(2.0, step / (frame.end - frame.start) * (frame.width - LEFT - RIGHT) * 0.8)
    for one, rows in zip(series, tops, strict=True):
        if bars:
            parts += [
                f'<rect x="{frame.x(at) - wide / 2:.1f}" y="{y(top):.1f}" width="{wide:.1f}"'
                f' height="{max(0.0, y(low) - y(top)):.1f}" fill="{one.color}"/>'
                for at, low, top in rows
                if top > low
            ]
            continue
        for run in _unbroken(rows, step):
            line = " ".join(f"{frame.x(at):.1f},{y(top):.1f}" for at, _, top in run)
            if stacked:
                under = " ".join(f"{frame.x(at):.1f},{y(low):.1f}" for at, low, _ in reversed(run))
                parts.append(f'<polygon points="{line} {under}" fill="{one.color}" fill-opacity="0.2"/>')
            parts.append(f'<polyline points="{line}" fill="none" stroke="{one.color}" stroke-width="1.5"/>')
    return frame.svg(*parts, frame.marks(marks))


def _unbroken(rows: Sequence[tuple[float, float, float]], step: float) -> list[list[tuple[float, float, float]]]:
    runs: list[list[tuple[float, float, float]]] = []
    for row in rows:
        if not runs or row[0] - runs[-1][-1][0] > step * 1.5:
            runs.append([])
        runs[-1].append(row)
    return runs


def _states(points: Sequence[tuple[float, float]], step: float) -> list[tuple[float, float, float]]:
    """(from, until, value), neighbours of one value merged."""
    states: list[tuple[float, float, float]] = []
    for at, value in points:
        if states and states[-1][2] == value and at - states[-1][1] < step / 2:
            states[-1] = (states[-1][0], at + step, value)
        else:
            states.append((at, at + step, value))
    return states


def timeline(
    frame: Frame, series: Sequence[Series], color: Callable[[float], str], *, step: float, marks: Sequence[float] = ()
) -> str:
    """A bar of colours for each series."""
    left = max((len(one.name) for one in series), default=0) * 6.6
    shifted = Frame(frame.width, frame.height, frame.start - (frame.end - frame.start) * left / frame.width, frame.end)
    height = (frame.height - TOP - BOTTOM) / max(1, len(series))
    parts: list[str] = []
    for index, one in enumerate(series):
        top = TOP + index * height
        parts.append(f'<text x="4" y="{top + height / 2 + 4:.1f}">{escape(one.name)}</text>')
        for at, until, value in _states(one.points, step):
            begin, end = shifted.x(at), shifted.x(min(until, frame.end))
            parts.append(
                f'<rect x="{begin:.1f}" y="{top + 1:.1f}" width="{max(1.5, end - begin):.1f}" height="{height - 2:.1f}"'
                f' fill="{color(value)}"/>'
            )
    inside = [part for part in shifted.time_axis().split("<line") if part]
    axis = "".join("<line" + part for part in inside if float(part.split('x1="')[1].split('"')[0]) >= LEFT + left)
    return frame.svg(axis, *parts, shifted.marks(marks))
