"""Panels: the few shapes that both dashboards are made of, as Grafana's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

Json = dict[str, Any]
Color = Literal["green", "orange", "red", "blue", "text"]

PROMETHEUS: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}
LOKI: Final[Json] = {"type": "loki", "uid": "${loki}"}

PALETTE: Final[Json] = {"mode": "palette-classic"}
BY_THRESHOLD: Final[Json] = {"mode": "thresholds"}
HUNDRED_BARS: Final = 100
COUNT: Final = "locale"  # short would make 4 K of 3840
WHEN: Final[Json] = {"unit": "dateTimeFromNow"}


def steps(base: Color, above: Mapping[float, Color] | None = None) -> Json:
    """Thresholds: a colour, and the one from each value up."""
    rising = [{"value": value, "color": color} for value, color in (above or {}).items()]
    return {"mode": "absolute", "steps": [{"value": None, "color": base}, *rising]}


def words(table: Mapping[int, tuple[str, Color]]) -> list[Json]:
    """Values shown as words."""
    options = {
        str(value): {"index": index, "text": text, "color": color}
        for index, (value, (text, color)) in enumerate(table.items())
    }
    return [{"type": "value", "options": options}]


def over_time(expr: str, legend: str) -> Json:
    """A query over the dashboard's range."""
    return _target(expr, legend) | {"format": "time_series", "range": True, "instant": False}


def now(expr: str, legend: str = "", *, table: bool = False) -> Json:
    """A query at the end of the dashboard's range."""
    return _target(expr, legend) | {"format": "table" if table else "time_series", "range": False, "instant": True}


def _target(expr: str, legend: str) -> Json:
    return {"datasource": PROMETHEUS, "editorMode": "code", "expr": expr, "legendFormat": legend or "__auto"}


def _panel(kind: str, title: str, description: str, targets: Sequence[Json], width: int, height: int) -> Json:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": PROMETHEUS,
        "gridPos": {"w": width, "h": height},
        "targets": [{"refId": chr(ord("A") + index)} | target for index, target in enumerate(targets)],
    }


def stat(
    title: str,
    description: str,
    query: Json,
    *,
    thresholds: Json,
    unit: str = COUNT,
    none: str = "-",
    mappings: Sequence[Json] = (),
    text: Literal["value", "name"] = "value",
    width: int = 3,
) -> Json:
    """One number, or with text="name" one legend."""
    defaults: Json = {
        "unit": unit,
        "noValue": none,
        "color": BY_THRESHOLD,
        "thresholds": thresholds,
        "mappings": list(mappings),
    }
    if unit == COUNT:
        defaults["decimals"] = 0
    return _panel("stat", title, description, [query], width, 4) | {
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": text,
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
        },
    }


def chart(
    title: str,
    description: str,
    queries: Sequence[Json],
    *,
    unit: str = COUNT,
    none: str = "No data",
    bars: bool = False,
    stacked: bool = False,
    width: int = 12,
    height: int = 8,
) -> Json:
    """Lines over time; or bars, each the count of what happened since the one before."""
    custom: Json = {
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 80 if bars else (20 if stacked else 0),
        "lineWidth": 0 if bars else 1,
        "showPoints": "never",
        "spanNulls": False,
        "axisSoftMin": 0,
        "stacking": {"mode": "normal" if bars or stacked else "none", "group": "A"},
    }
    defaults: Json = {"unit": unit, "min": 0, "noValue": none, "color": PALETTE, "custom": custom}
    defaults |= {"decimals": 0} if unit == COUNT else {}
    made = _panel("timeseries", title, description, queries, width, height) | {
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "legend": {
                "displayMode": "table",
                "placement": "right" if width > 6 else "bottom",
                "showLegend": True,
                "calcs": ["sum" if bars else "lastNotNull"],
            },
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }
    return made | ({"maxDataPoints": HUNDRED_BARS, "interval": "1m"} if bars else {})


def timeline(
    title: str, description: str, query: Json, mappings: Sequence[Json], *, none: str, width: int = 12, height: int = 6
) -> Json:
    """States over time, a line for each series."""
    defaults = {
        "unit": "short",
        "noValue": none,
        "mappings": list(mappings),
        "color": BY_THRESHOLD,
        "thresholds": steps("text"),
        "custom": {"fillOpacity": 80, "lineWidth": 0},
    }
    return _panel("state-timeline", title, description, [query], width, height) | {
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "mergeValues": True,
            "showValue": "never",
            "rowHeight": 0.8,
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"},
        },
    }


def table(
    title: str,
    description: str,
    queries: Sequence[Json],
    columns: Mapping[str, str],
    *,
    none: str,
    looks: Mapping[str, Json] | None = None,
    sort: str | None = None,
    hidden: Sequence[str] = (),
    width: int = 24,
    height: int = 8,
) -> Json:
    """A row for each set of labels. `columns` is field to heading, in order; `looks` is heading to properties."""
    many = len(queries) > 1
    fields = {field.replace("#", "Value #"): heading for field, heading in columns.items()}
    overrides = [_override("byRegexp", ".*", {"noValue": "-"})]
    overrides += [_override("byName", heading, look) for heading, look in (looks or {}).items()]
    organize = {
        "excludeByName": {"Time": True, **dict.fromkeys(hidden, True)},
        "indexByName": {field: index for index, field in enumerate(fields)},
        "renameByName": fields,
    }
    merge = [{"id": "merge", "options": {}}] if many else []
    return _panel("table", title, description, queries, width, height) | {
        "transformations": [*merge, {"id": "organize", "options": organize}],
        "fieldConfig": {
            "defaults": {
                "unit": COUNT,
                "decimals": 0,
                "noValue": none,
                "color": {"mode": "fixed", "fixedColor": "text"},
                "custom": {"align": "auto", "filterable": True},
            },
            "overrides": overrides,
        },
        "options": {
            "showHeader": True,
            "cellHeight": "sm",
            "sortBy": [{"displayName": sort, "desc": True}] if sort else [],
        },
    }


def _override(matcher: str, what: str, properties: Mapping[str, Any]) -> Json:
    return {
        "matcher": {"id": matcher, "options": what},
        "properties": [{"id": name, "value": value} for name, value in properties.items()],
    }


def logs(title: str, description: str, expr: str, *, none: str) -> Json:
    """The events, from a log store."""
    target = {"datasource": LOKI, "editorMode": "code", "expr": expr, "queryType": "range"}
    return _panel("logs", title, description, [target], 24, 10) | {
        "datasource": LOKI,
        "fieldConfig": {"defaults": {"unit": "short", "noValue": none}, "overrides": []},
        "options": {
            "showTime": True,
            "showLabels": False,
            "showCommonLabels": False,
            "wrapLogMessage": True,
            "prettifyLogMessage": False,
            "enableLogDetails": True,
            "dedupStrategy": "none",
            "sortOrder": "Descending",
        },
    }
