"""Dashboards: rows of panels laid out from left to right, the variables and annotations that both share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from panels import LOKI, PROMETHEUS, Json

SCHEMA_VERSION: Final = 39
COLUMNS: Final = 24
FLEET: Final = "kmsg-fleet"
NODE: Final = "kmsg-node"

TARGET: Final = 'cluster=~"$cluster", job=~"$job"'
SELECTED: Final = f'{TARGET}, $node_label=~"$node"'
EVENTS: Final = '{service_name="kmsg-exporter"} | event_name="kmsg.emptied" | host_name=~"$node"'

_ALL: Final[Json] = {"selected": True, "text": "All", "value": "$__all"}


@dataclass(frozen=True)
class Row:
    """Panels under one heading; a folded one asks nothing until it is opened."""

    title: str
    panels: Sequence[Json]
    folded: bool = False


def dashboard(
    uid: str, title: str, description: str, rows: Sequence[Row], *, many_nodes: bool, hours: int, refresh: str
) -> Json:
    """The whole dashboard. Panel ids follow from the order."""
    return {
        "id": None,
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["kmsg-exporter"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": refresh,
        "time": {"from": f"now-{hours}h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "links": [
            {
                "title": "Kernel log",
                "type": "dashboards",
                "tags": ["kmsg-exporter"],
                "icon": "external link",
                "asDropdown": False,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "tooltip": "",
                "url": "",
            }
        ],
        "templating": {"list": _variables(many_nodes=many_nodes)},
        "annotations": {"list": _annotations(emptied=not many_nodes)},
        "panels": _laid_out(rows),
    }


def _laid_out(rows: Sequence[Row]) -> list[Json]:
    panels: list[Json] = []
    number = y = 0
    for row in rows:
        number += 1
        heading: Json = {"id": number, "type": "row", "title": row.title, "collapsed": row.folded, "panels": []}
        panels.append(heading | {"gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}})
        y += 1
        x = line = 0
        for panel in row.panels:
            number += 1
            width, height = panel["gridPos"]["w"], panel["gridPos"]["h"]
            if x + width > COLUMNS:
                x, y, line = 0, y + line, 0
            placed = {"id": number} | panel | {"gridPos": {"x": x, "y": y, "w": width, "h": height}}
            (heading["panels"] if row.folded else panels).append(placed)
            x, line = x + width, max(line, height)
        y += line
    return panels


def _variables(*, many_nodes: bool) -> list[Json]:
    build = "kmsg_exporter_build_info"
    # Where Prometheus knows no label "node" (a plain static config), nodes go by "instance".
    label = 'label_replace(vector(1), "label", "instance", "", "")'
    label = f'label_replace(group({build}{{node!=""}}), "label", "node", "", "") or on() {label}'
    return [
        _source("datasource", "Prometheus", "prometheus"),
        _query("cluster", "Cluster", f"label_values({build}, cluster)", many=True, allValue=".*"),
        _query("job", "Job", f'label_values({build}{{cluster=~"$cluster"}}, job)', many=True),
        _query("node_label", "Node's label", f"query_result({label})", regex='/label="([^"]+)"/', hide=2),
        _query(
            "node",
            "Node",
            f"label_values({build}{{{TARGET}}}, $node_label)",
            many=many_nodes,
            **({"allValue": ".*"} if many_nodes else {}),
        ),
        _source("loki", "Log store (Loki), if any", "loki"),
    ]


def _source(name: str, label: str, kind: str) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "datasource",
        "query": kind,
        "regex": "",
        "hide": 0,
        "current": {},
        "options": [],
        "includeAll": False,
        "multi": False,
        "refresh": 1,
        "skipUrlSync": False,
    }


def _query(name: str, label: str, query: str, *, many: bool = False, **more: Any) -> Json:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": PROMETHEUS,
        "query": {"query": query, "refId": f"variable-{name}"},
        "regex": "",
        "hide": 0,
        "sort": 1,
        "refresh": 2,
        "current": _ALL if many else {},
        "options": [],
        "includeAll": many,
        "multi": many,
        "skipUrlSync": False,
        **more,
    }


def _annotations(*, emptied: bool) -> list[Json]:
    """`emptied`: show from the start where dmesg went empty; of many nodes that would be too many."""
    when = f"kmsg_last_emptied_timestamp_seconds{{{SELECTED}}} * 1000"
    return [
        {
            "name": "dmesg went empty",
            "datasource": PROMETHEUS,
            "enable": emptied,
            "hide": False,
            "iconColor": "red",
            "expr": when,
            "step": "60s",
            "useValueForTime": True,
            "titleFormat": "dmesg went empty",
            "textFormat": "{{$node_label}}",
            "tagKeys": "$node_label",
        },
        {
            # Off until somebody who has a log store switches it on: without one there is nothing to ask.
            "name": "Events (Loki)",
            "datasource": LOKI,
            "enable": False,
            "hide": False,
            "iconColor": "orange",
            "expr": EVENTS,
            "titleFormat": "{{host_name}}",
            "textFormat": "",
            "tagKeys": "kmsg_process_origin",
        },
    ]
