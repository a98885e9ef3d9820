"""The YAML file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.config import Config, load
from kmsg_exporter.errors import ConfigError


def from_text(text: str) -> Config:
    return load(argparse.Namespace(config_file="agent.yaml"), {}, read_file=lambda _: text)


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        from_text(text)
    return str(caught.value)


def test_dotted_names_and_nested_mappings_mean_the_same() -> None:
    dotted = "web.max-requests: 3\nweb.telemetry-path: /m\ncollector.embedded: true\n"
    nested = "web:\n  max-requests: 3\n  telemetry-path: /m\ncollector: {embedded: true}\n"
    assert from_text(dotted) == from_text(nested)


@pytest.mark.parametrize("text", ["", "# nothing\n", "web:\nexpected: []\nlog.level:\n", "---\n"])
def test_a_key_with_nothing_behind_it_sets_nothing(text: str) -> None:
    assert from_text(text) == load(argparse.Namespace(config_file="agent.yaml"), {}, read_file=lambda _: "")


def test_values_are_what_is_written_not_what_yaml_makes_of_it() -> None:
    found = from_text("push.sample: 010\nnode.name: no\ncluster.name: 1:30\nweb.listen-address: :10\n")
    assert (found.push_sample, found.node_name, found.cluster_name) == (10, "no", "1:30")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web.telemetry-pth: /m", "agent.yaml: web.telemetry-pth: is no option; did you mean web.telemetry-path?"),
        ("web: {max_requests: 1}", "agent.yaml: web.max_requests: is no option; did you mean web.max-requests?"),
        ("zzz: 1", "agent.yaml: zzz: is no option"),
        ("web: 1", "agent.yaml: web: must be a mapping, like web.max-requests: 40"),
        ("[1, 2]", "agent.yaml: all of it: must be a mapping, like web.max-requests: 40"),
        ("web: {max-requests: 1}\nweb.max-requests: 2", "agent.yaml: web.max-requests: is set twice"),
        ("log.level: info\nlog.level: info", "agent.yaml: log.level: is set twice"),
        ("log.level: [info]", "agent.yaml: log.level: must be one value, not a list or a mapping"),
        ("expected: {comm: a}", "agent.yaml: expected: must be one value or a list of values"),
        ("expected: [[comm=a]]", "agent.yaml: expected: must be one value or a list of values"),
        ("? [a]\n: 1", "agent.yaml: a key must be the name of an option"),
        (
            "config.file: b.yaml",
            "agent.yaml: config.file: can't be set in the file itself: use the flag or the variable",
        ),
        ("\na: b: c", "agent.yaml: is not YAML: line 2, column 5: mapping values are not allowed here"),
        ("a: &x [*x]", "agent.yaml: a: is no option"),
        ("web: &x {web: *x}", "agent.yaml: web.web: is no option"),
        ("!!python/object:os.system x", "agent.yaml: all of it: must be a mapping"),
        ("\x00", "agent.yaml: is not YAML: unacceptable character"),
        ("[" * 5000, "agent.yaml: is not YAML: maximum recursion depth exceeded"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(text: str, expected: str) -> None:
    found = refusal(text)
    assert found.startswith(expected)
    assert found.isprintable()


@given(st.text())
def test_any_text_is_a_config_or_one_line_of_refusal(text: str) -> None:
    complaint = ""
    try:
        from_text(text)
    except ConfigError as exc:
        complaint = str(exc)
    assert complaint.isprintable()


def test_a_file_that_is_not_there_is_named_with_who_named_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(argparse.Namespace(), {"KMSG_EXPORTER_CONFIG_FILE": str(tmp_path / "none")})
    assert str(caught.value) == (
        f"variable KMSG_EXPORTER_CONFIG_FILE: '{tmp_path}/none' can't be read: No such file or directory: "
        "name a file that is there, or leave it out"
    )


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as caught:
        load(argparse.Namespace(config_file=str(tmp_path / "f")), {})
    assert str(caught.value) == f"flag --config.file: '{tmp_path}/f' is not UTF-8 text"


def test_without_pyyaml_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "kmsg_exporter.config.file", raising=False)
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert refusal("") == "flag --config.file: reading a file needs PyYAML: pip install 'kmsg-exporter[config]'"
