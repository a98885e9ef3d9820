"""The rules and scrape configurations: promtool takes them, and each alert was seen to fire and to stay quiet."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent
PROMETHEUS = HERE.parents[1] / "deploy" / "prometheus"
RULES = PROMETHEUS / "kmsg-exporter.rules.yaml"
RUNBOOKS = "https://github.com/kmsg-exporter/kmsg-exporter/blob/main/deploy/runbooks"
TESTS = sorted(HERE.glob("*.test.yaml"))
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}

each_alert = pytest.mark.parametrize("name", ALERTS)


def promtool(*arguments: str | Path) -> tuple[int, str]:
    """The status, and what was printed."""
    try:
        done = subprocess.run(
            ["promtool", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=60,
        )
    except FileNotFoundError:
        pytest.fail("promtool is not installed: run tests/setup.sh, or apt-get install prometheus")
    return done.returncode, done.stdout


def cases(name: str) -> list[dict[str, Any]]:
    """The expectations of an alert in all tests."""
    return [
        case
        for path in TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test.get("alert_rule_test", [])
        if case["alertname"] == name
    ]


def test_the_alerts_are_those_that_are_documented() -> None:
    assert set(ALERTS) == {
        "KmsgCleared",
        "KmsgClearedUnexpectedly",
        "KmsgEmptiedUnattributed",
        "KmsgClearDenied",
        "KmsgCompetingReaders",
        "KmsgExporterBlind",
        "KmsgExporterLostEvents",
        "KmsgPushFailing",
        "KmsgPushDropped",
        "KmsgCollectorAgentSilent",
        "KmsgCollectorEventsMissing",
        "KmsgExporterDown",
        "KmsgExporterAbsent",
    }


def test_promtool_takes_the_rules() -> None:
    status, said = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert status == 0, said


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_every_series_of_the_test_gives_the_alerts_that_it_says(path: Path) -> None:
    status, said = promtool("test", "rules", path)
    assert status == 0, said


def test_an_alert_that_is_not_expected_fails_the_test(tmp_path: Path) -> None:
    wrong = (HERE / "log.test.yaml").read_text().replace("values: _x4 0 1x80", "values: _x4 0 0x80", 1)
    (tmp_path / "wrong.yaml").write_text(wrong.replace("../../deploy/prometheus/kmsg-exporter.rules.yaml", str(RULES)))
    status, said = promtool("test", "rules", tmp_path / "wrong.yaml")
    assert status == 1
    assert "alertname: KmsgCleared, time: 1m15s" in said


@each_alert
def test_the_alert_is_seen_to_fire_and_to_stay_quiet(name: str) -> None:
    assert [case["eval_time"] for case in cases(name) if case["exp_alerts"]] != []
    assert [case["eval_time"] for case in cases(name) if not case["exp_alerts"]] != []


def test_kmsg_cleared_is_the_rate_of_clears_by_node_comm_and_exe() -> None:
    assert ALERTS["KmsgCleared"]["expr"] == "sum without (action) (rate(kmsg_clears_total[5m]) > 0)"
    assert "for" not in ALERTS["KmsgCleared"]


@each_alert
def test_the_alert_says_how_bad_it_is_what_happened_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"{RUNBOOKS}/{name}.md"


@pytest.mark.parametrize("name", sorted(set(ALERTS) - {"KmsgExporterAbsent"}))
def test_the_alert_names_the_node_or_without_one_the_instance(name: str) -> None:
    for text in ("summary", "description"):
        assert "{{ or $labels.node $labels.instance }}" in ALERTS[name]["annotations"][text]


def test_promtool_takes_the_configuration_for_nodes_listed_by_name() -> None:
    status, said = promtool("check", "config", PROMETHEUS / "static.yaml")
    assert status == 0, said


def test_promtool_takes_the_configuration_for_kubernetes(tmp_path: Path) -> None:
    """Debian's build knows no kubernetes_sd_configs: all but these; tests/notify checks the file as it is."""
    config = yaml.safe_load((PROMETHEUS / "kubernetes-pods.yaml").read_text())
    (job,) = config["scrape_configs"]
    assert list(job.pop("kubernetes_sd_configs")[0]) == ["role", "selectors"]
    config["rule_files"] = [str(RULES)]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    status, said = promtool("check", "config", tmp_path / "config.yaml")
    assert status == 0, said


@pytest.mark.parametrize("file", ["static.yaml", "kubernetes-pods.yaml"])
def test_alerts_reach_an_alertmanager(file: str) -> None:
    (alertmanagers,) = yaml.safe_load((PROMETHEUS / file).read_text())["alerting"]["alertmanagers"]
    assert alertmanagers["static_configs"][0]["targets"][0].endswith(":9093")


@pytest.mark.parametrize("file", ["static.yaml", "kubernetes-pods.yaml"])
def test_the_job_is_the_one_that_the_rules_look_for_and_has_a_label_node(file: str) -> None:
    (job,) = yaml.safe_load((PROMETHEUS / file).read_text())["scrape_configs"]
    assert job["job_name"] == "kmsg-exporter"
    assert "node" in [step.get("target_label") for step in job["relabel_configs"]]
