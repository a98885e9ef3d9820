"""The alert file: known to Grafana's own types, whole, and the same alerts as the Prometheus rules."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from board_file import BOARDS, GRAFANA, panels
from conftest import Fleet

Json = dict[str, Any]

FILE = GRAFANA / "alerts" / "kmsg-alerts.yaml"
RULES = GRAFANA.parent / "deploy" / "prometheus" / "kmsg-exporter.rules.yaml"
LITERAL_SERIES = sorted((GRAFANA.parent / "tests" / "rules").glob("*.test.yaml"))
ALERTS: Json = yaml.safe_load(FILE.read_text())
ALL: list[Json] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
EXPRESSION_TYPES = {"threshold", "reduce", "math", "resample", "classic_conditions", "sql"}
COMPARISONS = {"gt": ">", "lt": "<"}
SEEN_FIRING = {
    "KmsgCleared",
    "KmsgClearedUnexpectedly",
    "KmsgEmptiedUnattributed",
    "KmsgClearDenied",
    "KmsgCompetingReaders",
    "KmsgExporterBlind",
    "KmsgExporterDown",
}

EVERY = pytest.mark.parametrize("rule", ALL, ids=[rule["title"] for rule in ALL])
# The fleet here has no collector: its alerts are held by literal series.
OF_AGENTS = [rule for rule in ALL if not rule["title"].startswith("KmsgCollector")]


def checker() -> Path:
    """The program that setup.sh built from alertfile/."""
    source = Path(__file__).parent / "alertfile"
    digest = hashlib.sha256(b"".join((source / name).read_bytes() for name in ("main.go", "go.mod", "go.sum")))
    path = Path.home() / ".cache" / "kmsg-exporter" / "bin" / f"alertfile-{digest.hexdigest()[:12]}"
    assert path.exists(), "the checker of alert files is not built: run tests/grafana/setup.sh"
    return path


def complaint(file: Json, directory: Path) -> str:
    """What Grafana's types say against an alert file."""
    path = directory / "alerts.json"
    path.write_text(json.dumps(file))
    done = subprocess.run([checker(), path], capture_output=True, text=True, check=False, timeout=30)
    assert bool(done.returncode) == bool(done.stderr)
    return done.stderr


def condition(rule: Json) -> str:
    """What the rule asks, as one expression: the query of A compared as in B."""
    query, threshold = rule["data"]
    evaluator = threshold["model"]["conditions"][0]["evaluator"]
    return f"({query['model']['expr']}) {COMPARISONS[evaluator['type']]} {evaluator['params'][0]}"


def prometheus_rules() -> dict[str, Json]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_grafanas_own_types_decode_and_validate_the_file(tmp_path: Path) -> None:
    assert complaint(ALERTS, tmp_path) == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"noDataStat": "OK"}, 'unknown field "noDataStat"'),
        ({"noDataState": "Okay"}, "noDataState in body should be one of [Alerting NoData OK]"),
        ({"annotations": {"summary": "{{ $value }}"}}, 'undefined variable "$value"'),
        ({"annotations": {"summary": "{{ $labels.com }}"}}, "has no value for something"),
    ],
)
def test_a_mistake_in_a_rule_is_found(tmp_path: Path, change: Json, said: str) -> None:
    group = ALERTS["groups"][0]
    broken = ALERTS | {"groups": [group | {"rules": [group["rules"][0] | change]}]}
    assert said in complaint(broken, tmp_path)


def test_uids_and_titles_are_unique() -> None:
    assert len({rule["uid"] for rule in ALL}) == len(ALL)
    assert len({rule["title"] for rule in ALL}) == len(ALL)


def test_uids_are_what_grafana_takes() -> None:
    assert [rule["uid"] for rule in ALL if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", rule["uid"])] == []


@EVERY
def test_condition_names_an_expression_whose_input_exists_and_is_instant(rule: Json) -> None:
    parts = {part["refId"]: part for part in rule["data"]}
    assert len(parts) == len(rule["data"])
    assert all(part["model"]["refId"] == name for name, part in parts.items())
    decided = parts[rule["condition"]]
    assert decided["datasourceUid"] == "__expr__"
    assert decided["model"]["type"] in EXPRESSION_TYPES
    asked = parts[decided["model"]["expression"]]
    assert asked["datasourceUid"] == "prometheus"
    assert (asked["model"]["instant"], asked["model"]["range"]) == (True, False)


@EVERY
def test_query_leaves_the_comparison_to_the_threshold(rule: Json) -> None:
    assert re.search(r"[<>=] *(bool +)?[\d.]+$", rule["data"][0]["model"]["expr"]) is None


@EVERY
def test_durations_are_durations(rule: Json) -> None:
    group = next(group for group in ALERTS["groups"] if rule in group["rules"])
    for duration in (group["interval"], rule["for"], rule["keepFiringFor"]):
        assert re.fullmatch(r"\d+[smhd]", duration)


@EVERY
def test_what_is_absent_is_ok_and_what_fails_is_an_error(rule: Json) -> None:
    assert (rule["noDataState"], rule["execErrState"]) == ("OK", "Error")


@EVERY
def test_provisioning_has_no_variable_to_expand_but_in_annotations(rule: Json) -> None:
    rest = {name: value for name, value in rule.items() if name != "annotations"}
    assert "$" not in json.dumps(rest)


@EVERY
def test_it_leads_to_a_panel_that_exists(rule: Json) -> None:
    assert rule["panelId"] in [panel["id"] for panel in panels(BOARDS[rule["dashboardUid"]])]


def test_they_are_the_alerts_of_the_prometheus_rules() -> None:
    ours = {rule["title"]: (rule["for"], rule["keepFiringFor"], rule["labels"]) for rule in ALL}
    theirs = {
        name: (rule.get("for", "0s"), rule.get("keep_firing_for", "0s"), rule["labels"])
        for name, rule in prometheus_rules().items()
    }
    assert ours == theirs


@EVERY
def test_annotations_say_what_the_prometheus_rule_says(rule: Json) -> None:
    theirs = prometheus_rules()[rule["title"]]["annotations"]
    assert set(theirs) == {"summary", "description", "runbook_url"}
    assert {name: text.replace("$values.A.Value", "$value") for name, text in rule["annotations"].items()} == theirs


def test_there_is_the_alert_on_the_rate_of_clears() -> None:
    assert condition(ALL[0]) == "(sum without (action) (rate(kmsg_clears_total[5m]))) > 0"


@pytest.mark.parametrize("rule", OF_AGENTS, ids=[rule["title"] for rule in OF_AGENTS])
def test_query_returns_data_and_fires_for_what_the_prometheus_rule_fires_for(fleet: Fleet, rule: Json) -> None:
    def labels(query: str) -> list[str]:
        found = [series["metric"] for series in fleet.server.query(query, fleet.look.end)]
        return sorted(
            json.dumps({key: value for key, value in each.items() if key != "__name__"}, sort_keys=True)
            for each in found
        )

    assert labels(rule["data"][0]["model"]["expr"])
    assert labels(condition(rule)) == labels(prometheus_rules()[rule["title"]]["expr"])
    assert bool(labels(condition(rule))) == (rule["title"] in SEEN_FIRING)


def test_literal_series_make_them_fire_and_stay_quiet_as_the_prometheus_rules(tmp_path: Path) -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    ours = {rule["title"]: condition(rule) for rule in ALL}
    for group in groups:
        for rule in group["rules"]:
            if "alert" in rule:
                rule["expr"] = ours[rule["alert"]]
    (tmp_path / RULES.name).write_text(yaml.safe_dump({"groups": groups}))
    assert LITERAL_SERIES
    for path in LITERAL_SERIES:
        text = re.sub(r"^rule_files: .*$", f"rule_files: [{RULES.name}]", path.read_text(), flags=re.MULTILINE)
        (tmp_path / path.name).write_text(text)
        done = subprocess.run(
            ["promtool", "test", "rules", path.name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, f"Unit Testing:  {path.name}\n  SUCCESS\n\n")
