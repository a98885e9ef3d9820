"""The runbooks: one for each alert, and what they tell a person to type is there."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kmsg_exporter.cli import parser
from kmsg_exporter.collector.figures import ALL as COLLECTOR
from kmsg_exporter.config import OPTIONS, load
from kmsg_exporter.metrics.exposition import ALL

TOP = Path(__file__).parents[2]
RULES = TOP / "deploy" / "prometheus" / "kmsg-exporter.rules.yaml"
RUNBOOKS = sorted((TOP / "deploy" / "runbooks").glob("*.md"))
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "False positives"]
METRICS = {one.name for one in ALL} | {one.name for one in COLLECTOR}
PROMETHEUS_ITS_OWN = {"up"}
NO_METRICS = {"kmsg_exporter"}  # an instance in tracefs
DEBIAN = {  # the package that has each command
    "cat": "coreutils",
    "curl": "curl",
    "df": "coreutils",
    "findmnt": "util-linux",
    "fuser": "psmisc",
    "getent": "libc-bin",
    "grep": "grep",
    "journalctl": "systemd",
    "ls": "coreutils",
    "lsmod": "kmod",
    "promtool": "prometheus",
    "ps": "procps",
    "ss": "iproute2",
    "sysctl": "procps",
    "systemctl": "systemd",
    "timeout": "coreutils",
    "top": "procps",
}
OTHERS = {"kmsg-exporter", "kubectl"}

each_runbook = pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def commands(path: Path) -> Iterator[list[str]]:
    """The words of every command of the page: in its blocks, and in what is indented."""
    indented = re.findall(r"^ {4,}(kmsg-exporter .*)$", path.read_text(), re.MULTILINE)
    for line in [*"".join(blocks(path, "sh")).splitlines(), *indented]:
        yield shlex.split(line, comments=True)


def metrics(text: str) -> set[str]:
    """The names of metrics of ours in PromQL or prose."""
    return set(re.findall(r"(?<![\w/:.])kmsg_[a-z_]*[a-z](?![\w/:.])", text)) - NO_METRICS


def rules() -> list[dict[str, str]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert [path.stem for path in RUNBOOKS] == sorted(rule["alert"] for rule in rules() if "alert" in rule)


@each_runbook
def test_it_has_the_five_sections_and_none_is_empty(path: Path) -> None:
    assert path.read_text().splitlines()[0] == f"# {path.stem}"
    _, *parts = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)
    assert [part.splitlines()[0] for part in parts] == SECTIONS
    assert [part.splitlines()[0] for part in parts if not "".join(part.splitlines()[1:]).strip()] == []


@each_runbook
def test_every_link_leads_to_a_file(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


@each_runbook
def test_every_path_of_the_project_is_there(path: Path) -> None:
    for target in re.findall(r"`((?:deploy|docs|tests)/[\w./-]*)`", path.read_text()):
        assert (TOP / target).exists(), target


@each_runbook
def test_every_metric_is_exposed(path: Path) -> None:
    assert metrics(path.read_text()) - METRICS == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule["record"])
def test_every_metric_of_a_rule_is_exposed_and_documented(rule: dict[str, str]) -> None:
    page = (TOP / "docs" / "metrics.md").read_text()
    named = metrics(rule["expr"]) | (set(re.findall(r"\bup\b", rule["expr"])) & PROMETHEUS_ITS_OWN)
    assert named != set()
    assert named - METRICS - PROMETHEUS_ITS_OWN == set()
    assert [name for name in named - PROMETHEUS_ITS_OWN if f"| `{name}` |" not in page] == []


@each_runbook
def test_the_diagnosis_has_commands_that_a_debian_system_or_the_project_has(path: Path) -> None:
    found = list(commands(path))
    assert found != []
    assert {words[0] for words in found} - DEBIAN.keys() - OTHERS == set()


@each_runbook
def test_every_command_of_ours_is_one_that_the_program_takes(path: Path) -> None:
    for words in commands(path):
        if "kmsg-exporter" in words and (words[0] == "kmsg-exporter" or "--" in words):
            load(parser().parse_args(words[words.index("kmsg-exporter") + 1 :]), {}, read_file=lambda _path: "")


@each_runbook
def test_every_flag_in_a_sentence_is_a_flag(path: Path) -> None:
    dotted = set(re.findall(r"`(--(?:[a-z]+\.[a-z.-]+|expected|backend))", path.read_text()))
    assert dotted - {option.flag for option in OPTIONS} == set()


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    queries = [query for path in RUNBOOKS for query in blocks(path, "promql")]
    assert len(queries) >= len(RUNBOOKS)
    records = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": records}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", tmp_path / "rules.yaml"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
