"""Flags, environment and file made into one Config."""

from __future__ import annotations

import io
import os
import pty
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from kmsg_exporter.config import OPTIONS, Address, Config, Parser, add_flags, load
from kmsg_exporter.errors import ConfigError
from kmsg_exporter.expected import ExpectedRule


def config(argv: Sequence[str] = (), environ: Mapping[str, str] | None = None, command: str = "run") -> Config:
    parser = Parser(prog="kmsg-exporter run")
    add_flags(parser, command)
    return load(parser.parse_args(list(argv)), environ or {})


def refusal(argv: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        config(argv, environ)
    text = str(caught.value)
    assert text.isprintable()
    return text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent.yaml"


def test_without_any_configuration_there_is_a_default_for_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert config() == Config(
        config_file=None,
        backend="auto",
        trace_budget_mib=16,
        trace_compat_syscalls=False,
        web_listen_address=(Address("", 10144),),
        web_telemetry_path="/metrics",
        web_max_requests=40,
        metrics_max_pairs=512,
        readers_scan_interval_seconds=15.0,
        expected=(),
        push_endpoint=None,
        push_sample=50,
        push_redact=(),
        push_spool_bytes=67108864,
        push_command_args=False,
        push_timeout_seconds=None,
        collector_embedded=False,
        collector_listen_address=Address("127.0.0.1", 4318),
        collector_directory=Path("/var/lib/kmsg-exporter/collector"),
        node_name=os.uname().nodename,
        cluster_name=None,
        state_directory=Path("/var/lib/kmsg-exporter"),
        runtime_directory=Path("/run/kmsg-exporter"),
        path_procfs=Path("/proc"),
        path_sysfs=Path("/sys"),
        path_tracefs=Path("/sys/kernel/tracing"),
        path_dev=Path("/dev"),
        path_etc=Path("/etc"),
        log_level="info",
        log_format="logfmt",
    )


def test_flag_wins_over_variable_over_file_over_default(file: Path) -> None:
    file.write_text("web.max-requests: 3\nmetrics.max-pairs: 3\ntrace.budget-mib: 3\n")
    found = config(
        ["--config.file", str(file), "--web.max-requests=1"],
        {"KMSG_EXPORTER_WEB_MAX_REQUESTS": "2", "KMSG_EXPORTER_METRICS_MAX_PAIRS": "2"},
    )
    assert (found.web_max_requests, found.metrics_max_pairs, found.trace_budget_mib) == (1, 2, 3)
    assert found.log_level == "info"


def test_values_of_a_winning_place_replace_those_of_the_others(file: Path) -> None:
    file.write_text("expected: [comm=a, comm=b]\npush.redact: c+\n")
    found = config(["--config.file", str(file), "--push.redact=d+", "--push.redact=e,f"])
    assert found.expected == (ExpectedRule((("comm", "a"),)), ExpectedRule((("comm", "b"),)))
    assert [pattern.pattern for pattern in found.push_redact] == ["d+", "e,f"]


def test_variable_of_a_repeatable_option_has_one_value_a_line() -> None:
    found = config(environ={"KMSG_EXPORTER_WEB_LISTEN_ADDRESS": "127.0.0.1:1\n\n[::1]:2\n"})
    assert found.web_listen_address == (Address("127.0.0.1", 1), Address("::1", 2))


def test_variable_set_to_nothing_is_not_set() -> None:
    found = config(environ={"KMSG_EXPORTER_LOG_LEVEL": "", "KMSG_EXPORTER_EXPECTED": "\n", "NODE_NAME": ""})
    assert (found.log_level, found.expected, found.node_name) == ("info", (), os.uname().nodename)


def test_variables_that_kubernetes_sets_for_a_service_of_that_name_are_no_errors() -> None:
    assert config(environ={"KMSG_EXPORTER_SERVICE_HOST": "10.0.0.1", "KMSG_EXPORTER_PORT": "tcp://10.0.0.1:1"})


def test_empty_flag_switches_off_what_the_file_switched_on(file: Path) -> None:
    file.write_text("push.endpoint: http://collector:4318\n")
    assert config(["--config.file", str(file)]).push_endpoint == "http://collector:4318/v1/logs"
    assert config(["--config.file", str(file), "--push.endpoint="]).push_endpoint is None


@pytest.mark.parametrize("text", ["true", "1", "yes", "True", "YES"])
def test_words_for_yes(text: str, file: Path) -> None:
    file.write_text(f"push.command-args: {text}\n")
    assert config(environ={"KMSG_EXPORTER_PUSH_COMMAND_ARGS": text}).push_command_args
    assert config(["--config.file", str(file)]).push_command_args


@pytest.mark.parametrize("text", ["false", "0", "no", "False", "NO"])
def test_words_for_no(text: str) -> None:
    assert not config(environ={"KMSG_EXPORTER_PUSH_COMMAND_ARGS": text}).push_command_args


def test_a_switch_is_turned_on_and_off_by_its_flag() -> None:
    assert config(["--collector.embedded"]).collector_embedded
    assert not config(["--no-collector.embedded"], {"KMSG_EXPORTER_COLLECTOR_EMBEDDED": "yes"}).collector_embedded


def test_directories_and_node_name_come_from_systemd_and_the_downward_api() -> None:
    environ = {"STATE_DIRECTORY": "/s/first:/s/second", "RUNTIME_DIRECTORY": "/r", "NODE_NAME": "node-7"}
    found = config(environ=environ)
    assert (found.state_directory, found.runtime_directory) == (Path("/s/first"), Path("/r"))
    assert (found.collector_directory, found.node_name) == (Path("/s/first/collector"), "node-7")


def test_options_of_our_own_win_over_systemd_and_the_downward_api(file: Path) -> None:
    file.write_text("node.name: from-file\n")
    environ = {"STATE_DIRECTORY": "/s", "NODE_NAME": "node-7", "KMSG_EXPORTER_STATE_DIRECTORY": "/own"}
    found = config(["--config.file", str(file), "--collector.directory=/c"], environ)
    assert (found.state_directory, found.collector_directory, found.node_name) == (
        Path("/own"),
        Path("/c"),
        "from-file",
    )


def test_log_is_for_a_person_when_stderr_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    controller, terminal = pty.openpty()
    with os.fdopen(controller, "rb"), os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert config().log_format == "terminal"
    monkeypatch.setattr(sys, "stderr", None)
    assert config().log_format == "logfmt"


def test_the_collector_asks_what_the_web_server_asks_unless_it_has_a_file_of_its_own() -> None:
    assert config().collector_web_config_file is None
    assert config(["--web.config.file=/a"], command="collector").collector_web_config_file == Path("/a")
    both = config(["--web.config.file=/a", "--collector.web-config-file=/b"])
    assert (both.web_config_file, both.collector_web_config_file) == (Path("/a"), Path("/b"))


def test_a_command_reads_options_of_another_from_the_same_file(file: Path) -> None:
    file.write_text("web.max-requests: 3\ncollector.listen-address: :4318\n")
    found = config(["--config.file", str(file)], command="collector")
    assert (found.web_max_requests, found.collector_listen_address) == (3, Address("", 4318))


def test_a_wrong_flag_is_named_with_its_value_and_what_is_allowed() -> None:
    assert refusal(["--backend=bpf"]) == (
        "flag --backend: 'bpf' must be one of auto, kprobe, tracepoint, function, state"
    )


def test_a_wrong_variable_is_named_with_its_value_and_what_is_allowed() -> None:
    assert refusal(environ={"KMSG_EXPORTER_PUSH_SAMPLE": "all"}) == (
        "variable KMSG_EXPORTER_PUSH_SAMPLE: 'all' must be a whole number from 0 to 1000, or errors"
    )
    assert refusal(environ={"NODE_NAME": "a\nb"}) == (
        "variable NODE_NAME: 'a\\nb' must be 1 to 253 printable characters"
    )


def test_a_wrong_value_in_the_file_is_named_with_the_file_and_what_is_allowed() -> None:
    with pytest.raises(ConfigError) as caught:
        load(Parser().parse_args([]), {"KMSG_EXPORTER_CONFIG_FILE": "/etc/agent.yaml"}, read_file=_zero_requests)
    assert str(caught.value) == "/etc/agent.yaml: web.max-requests: '0' must be a whole number from 1 to 1000"


def _zero_requests(path: Path) -> str:
    assert path == Path("/etc/agent.yaml")
    return "web: {max-requests: 0}"


def test_a_hostile_value_is_shown_in_one_bounded_printable_line() -> None:
    text = refusal(["--log.level=\x1b[31m\n\udcff\u202e" + "x" * 10_000])
    assert text.startswith("flag --log.level: '\\x1b[31m\\n\\udcff\\u202exxx")
    assert len(text) < 350


def test_a_password_in_a_url_is_refused_and_not_shown() -> None:
    assert refusal(["--push.endpoint=http://me:secret@collector"]) == (
        "flag --push.endpoint: 'http://***@collector' must be a URL without user and password: "
        "they would show in the process list"
    )


def test_every_default_that_help_shows_is_a_value_that_the_option_takes() -> None:
    for option in OPTIONS:
        if option.default and " " not in option.default:
            value = option.kind.read(option.default)
            assert getattr(Config(), option.field) == ((value,) if option.repeatable else value)
