"""The alerts of deploy/prometheus as Grafana's: the query in A, the threshold in B."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from board import FLEET
from panels import Json

RULES: Final = Path(__file__).parents[1] / "deploy" / "prometheus" / "kmsg-exporter.rules.yaml"
DATASOURCE: Final = "prometheus"  # the uid that provisioning/datasources gives it
EXPRESSION: Final = "__expr__"
FOLDER: Final = "kmsg-exporter"
WINDOW_SECONDS: Final = 600


@dataclass(frozen=True)
class Condition:
    """An alert's expression without its comparison (which would turn "nothing happens" into "no data"), and that."""

    query: str
    compare: Literal["gt", "lt"]
    threshold: float
    panel: str


CONDITIONS: Final = {
    "KmsgCleared": Condition("sum without (action) (rate(kmsg_clears_total[5m]))", "gt", 0, "Who clears"),
    "KmsgClearedUnexpectedly": Condition(
        'rate(kmsg_clears_by_origin_total{expected="false"}[5m])', "gt", 0, "Who clears"
    ),
    "KmsgEmptiedUnattributed": Condition("rate(kmsg_unattributed_clears_total[5m])", "gt", 0, "Unattributed"),
    "KmsgClearDenied": Condition("sum without (action) (rate(kmsg_clears_denied_total[5m]))", "gt", 0, "Who clears"),
    "KmsgCompetingReaders": Condition(
        'sum without (comm, exe, interface, action) (kmsg_readers{interface="proc_kmsg"}'
        ' or rate(kmsg_reads_total{interface="syslog",action="read"}[5m]) > bool 0)',
        "gt",
        1,
        "Competing readers",
    ),
    "KmsgExporterBlind": Condition(
        '1 - kmsg_exporter_probe_attached or kmsg_exporter_backend_info{backend="state"}', "gt", 0, "Blind nodes"
    ),
    "KmsgExporterLostEvents": Condition(
        "sum without (probe)"
        " (rate(kmsg_exporter_trace_lost_events_total[5m]) or rate(kmsg_exporter_probe_missed_total[5m]))",
        "gt",
        0,
        "Blind nodes",
    ),
    "KmsgPushFailing": Condition(
        "time() - kmsg_exporter_push_queue_oldest_timestamp_seconds", "gt", 600, "Events that wait"
    ),
    "KmsgPushDropped": Condition(
        "rate(kmsg_exporter_push_dropped_total[5m])"
        ' or label_replace(rate(kmsg_exporter_push_rejected_total[5m]), "reason", "rejected", "", "")',
        "gt",
        0,
        "Failed requests to the collector",
    ),
    "KmsgCollectorAgentSilent": Condition("kmsg_collector_silent_agents", "gt", 0, "Failed requests to the collector"),
    "KmsgCollectorEventsMissing": Condition(
        "kmsg_collector_missing_events - min_over_time(kmsg_collector_missing_events[1h])",
        "gt",
        0,
        "Failed requests to the collector",
    ),
    "KmsgExporterDown": Condition('up{job=~"(.*/)?kmsg-exporter"}', "lt", 1, "Down"),
    "KmsgExporterAbsent": Condition('count(up{job=~"(.*/)?kmsg-exporter"}) or vector(0)', "lt", 1, "Nodes"),
}


def alert_file(fleet: Json) -> Json:
    """The provisioning file. Names, labels, durations and texts are those of the Prometheus rules."""
    panels = {panel["title"]: panel["id"] for panel in fleet["panels"]}
    groups = yaml.safe_load(RULES.read_text())["groups"]
    made = [_group(group, panels) for group in groups if any("alert" in rule for rule in group["rules"])]
    return {"apiVersion": 1, "groups": made}


def _group(group: Json, panels: dict[str, int]) -> Json:
    rules = [_rule(rule, panels) for rule in group["rules"]]
    return {"orgId": 1, "name": group["name"], "folder": FOLDER, "interval": "1m", "rules": rules}


def _rule(rule: Json, panels: dict[str, int]) -> Json:
    name = rule["alert"]
    condition = CONDITIONS[name]
    return {
        "uid": name.lower(),
        "title": name,
        "condition": "B",
        "data": [_query(condition), _threshold(condition)],
        "for": rule.get("for", "0s"),
        "keepFiringFor": rule.get("keep_firing_for", "0s"),
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": rule["labels"],
        "annotations": {key: text.replace("$value", "$values.A.Value") for key, text in rule["annotations"].items()},
        "dashboardUid": FLEET,
        "panelId": panels[condition.panel],
        "isPaused": False,
    }


def _query(condition: Condition) -> Json:
    return {
        "refId": "A",
        "relativeTimeRange": {"from": WINDOW_SECONDS, "to": 0},
        "datasourceUid": DATASOURCE,
        "model": {"refId": "A", "editorMode": "code", "expr": condition.query, "instant": True, "range": False},
    }


def _threshold(condition: Condition) -> Json:
    evaluator: dict[str, Any] = {"type": condition.compare, "params": [condition.threshold]}
    return {
        "refId": "B",
        "relativeTimeRange": {"from": 0, "to": 0},
        "datasourceUid": EXPRESSION,
        "model": {
            "refId": "B",
            "type": "threshold",
            "expression": "A",
            "conditions": [{"evaluator": evaluator}],
            "datasource": {"type": EXPRESSION, "uid": EXPRESSION},
        },
    }
