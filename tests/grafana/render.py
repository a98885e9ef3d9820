"""A dashboard as a page: its panels drawn from what a Prometheus answers, as near to Grafana as these panels need."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import drawing
from board_file import View
from values import COLORS, PALETTE, color_by_threshold, formatted, word

Json = dict[str, Any]

COLUMN, LINE, GAP = 50, 38, 8
POINTS = 400
STYLE = (Path(__file__).parent / "page.css").read_text()


def page(board: Json, view: View) -> str:
    """The whole page. Folded rows are shown as such."""
    moments = _annotations(board, view)
    parts = [_panel(panel, view, moments) for panel in board["panels"]]
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    return (
        f'<!doctype html><meta charset="utf-8"><title>{escape(board["title"])}</title><style>{STYLE}</style>'
        f"<h1>{escape(board['title'])}</h1><p>{escape(board['description'])}</p>"
        f'<main style="height: {bottom * LINE + 12}px">{"".join(parts)}</main>'
    )


def _annotations(board: Json, view: View) -> list[float]:
    asked = [each for each in board["annotations"]["list"] if each["enable"]]
    series = [one for each in asked for one in view.ask(each | {"instant": False}, POINTS)]
    moments = {float(value) / 1000 for one in series for _, value in one["values"]}
    return sorted(moment for moment in moments if view.look.start <= moment <= view.look.end)


def _panel(panel: Json, view: View, moments: Sequence[float]) -> str:
    at = panel["gridPos"]
    left, top = at["x"] * COLUMN, at["y"] * LINE
    if panel["type"] == "row":
        sign = "\u25b8" if panel["collapsed"] else "\u25be"
        return f'<h3 style="left: {left}px; top: {top}px">{sign} {escape(panel["title"])}</h3>'
    width, height = at["w"] * COLUMN - GAP, at["h"] * LINE - GAP
    draw: dict[str, Callable[[Json, View, float, float, Sequence[float]], str]] = {
        "stat": _stat,
        "table": _table,
        "timeseries": _chart,
        "state-timeline": _timeline,
    }
    body = draw[panel["type"]](panel, view, width - 10, height - 34, moments)
    return (
        f'<section style="left: {left}px; top: {top + GAP}px; width: {width}px; height: {height}px">'
        f'<h2 title="{escape(panel["description"])}">{escape(panel["title"])}</h2>{body}</section>'
    )


def _none(defaults: Json) -> str:
    return f'<div class="none">{escape(defaults["noValue"])}</div>'


def _name(target: Json, view: View, labels: Json) -> str:
    """The legend of a series."""
    legend = view.text(target["legendFormat"])
    return re.sub(r"\{\{ *(\w+) *\}\}", lambda match: str(labels.get(match[1], "")), legend)


def _stat(panel: Json, view: View, *_: object) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    target = panel["targets"][0]
    series = view.ask(target)
    if not series:
        return f'<div class="stat small">{escape(defaults["noValue"])}</div>'
    value = float(series[0]["value"][1])
    mapped = word(value, defaults)
    text = formatted(value, defaults["unit"], defaults.get("decimals"), now=view.look.end)
    text, color = mapped or (text, color_by_threshold(value, defaults))
    if panel["options"]["textMode"] == "name":
        text = _name(target, view, series[0]["metric"])
    small = " tiny" if len(text) > 11 else " small" if len(text) > 6 else ""
    return f'<div class="stat{small}" style="color: {color}">{escape(text)}</div>'


def _series(panel: Json, view: View, points: int) -> list[drawing.Series]:
    found: list[drawing.Series] = []
    for target in panel["targets"]:
        for one in view.ask(target, points):
            values = [(float(at), float(value)) for at, value in one["values"]]
            found.append(drawing.Series(_name(target, view, one["metric"]), PALETTE[len(found) % len(PALETTE)], values))
    return found


def _chart(panel: Json, view: View, width: float, height: float, moments: Sequence[float]) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    points = panel.get("maxDataPoints", POINTS)
    series = _series(panel, view, points)
    if not series:
        return _none(defaults)
    bars = defaults["custom"]["drawStyle"] == "bars"
    calc = panel["options"]["legend"]["calcs"][0]
    below = panel["options"]["legend"]["placement"] == "bottom"

    def label(value: float) -> str:
        return formatted(value, defaults["unit"], defaults.get("decimals"), now=view.look.end)

    rows = []
    for one in series:
        value = sum(value for _, value in one.points) if calc == "sum" else one.points[-1][1]
        swatch = f'<span class="swatch" style="background: {one.color}"></span>'
        rows.append(f"<tr><td>{swatch}{escape(one.name)}</td><td>{escape(label(value))}</td></tr>")
    heading = "Total" if calc == "sum" else "Last"
    legend = f'<table class="legend"><tr><th></th><th>{heading}</th></tr>{"".join(rows)}</table>'
    side = 0.0 if below else 75 + 6.6 * max(len(one.name) for one in series)
    frame = drawing.Frame(width - side, height - (36 if below else 0), view.look.start, view.look.end)
    drawn = drawing.chart(
        frame,
        series,
        label,
        step=view.look.step(points),
        bars=bars,
        stacked=defaults["custom"]["stacking"]["mode"] == "normal",
        whole=defaults.get("decimals") == 0,
        unit=2**20 if defaults["unit"] == "bytes" else 1,
        marks=moments,
    )
    return f"{drawn}{legend}" if below else f'<div class="body">{drawn}{legend}</div>'


def _timeline(panel: Json, view: View, width: float, height: float, moments: Sequence[float]) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    series = _series(panel, view, POINTS)
    if not series:
        return _none(defaults)

    def color(value: float) -> str:
        mapped = word(value, defaults)
        return mapped[1] if mapped else color_by_threshold(value, defaults)

    frame = drawing.Frame(width, height - 18, view.look.start, view.look.end)
    drawn = drawing.timeline(frame, series, color, step=view.look.step(POINTS), marks=moments)
    names = [each["options"].values() for each in defaults["mappings"]]
    legend = "".join(
        f'<span class="swatch" style="background: {COLORS[each["color"]]}"></span>{escape(each["text"])} '
        for each in (one for some in names for one in some)
    )
    return f'{drawn}<div class="legend" style="padding-left: 8px">{legend}</div>'


def rows_of(panel: Json, view: View) -> tuple[list[str], list[list[Any]]]:
    """A table's headings and rows, after its transformations: merge by labels, then organize."""
    merged: dict[tuple[tuple[str, str], ...], Json] = {}
    many = len(panel["targets"]) > 1
    for target in panel["targets"]:
        for one in view.ask(target):
            labels = tuple(sorted((name, value) for name, value in one["metric"].items() if name != "__name__"))
            row = merged.setdefault(labels, dict(labels))
            row[f"Value #{target['refId']}" if many else "Value"] = float(one["value"][1])
    (organize,) = [each["options"] for each in panel["transformations"] if each["id"] == "organize"]
    present = {field for row in merged.values() for field in row} - organize["excludeByName"].keys()
    fields = sorted(present, key=lambda field: organize["indexByName"].get(field, 99))
    headings = [organize["renameByName"].get(field, field) for field in fields]
    rows = [[row.get(field) for field in fields] for row in merged.values()]
    for key in panel["options"]["sortBy"]:
        index = headings.index(key["displayName"]) if key["displayName"] in headings else 0
        rows.sort(key=lambda row: row[index] or 0, reverse=key["desc"])
    return headings, rows


def _table(panel: Json, view: View, *_: object) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    headings, rows = rows_of(panel, view)
    if not rows:
        return _none(defaults)
    looks: dict[str, Json] = {heading: dict(defaults) for heading in headings}
    for override in panel["fieldConfig"]["overrides"]:
        for heading, look in looks.items():
            if re.fullmatch(override["matcher"]["options"], heading):
                look.update({each["id"]: each["value"] for each in override["properties"]})

    def cell(heading: str, value: object) -> str:
        look = looks[heading]
        if value is None:
            return escape(look["noValue"])
        if isinstance(value, str):
            return f'<a href="#">{escape(value)}</a>' if look.get("links") else escape(value)
        assert isinstance(value, float)
        mapped = word(value, look)
        return escape(mapped[0] if mapped else formatted(value, look["unit"], look["decimals"], now=view.look.end))

    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell(*each)}</td>" for each in zip(headings, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"
