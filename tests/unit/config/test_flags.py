"""The flags, and how argparse's own complaints come out."""

from __future__ import annotations

import pytest

from kmsg_exporter.config import OPTIONS, Parser, add_flags, options
from kmsg_exporter.errors import ConfigError


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="kmsg-exporter")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in ("run", "collector"):
        add_flags(commands.add_parser(command), command)
    return parser


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["run", "--web.max-request=3"], "unknown flag --web.max-request; did you mean --web.max-requests?"),
        (["collector", "--web.max-requests=3"], "flag --web.max-requests: this command does not take it: see --help"),
        (["run", "--zzz", "3"], "unknown flag --zzz: see --help"),
        (["run", "--\x1b\udcff"], "unknown flag --\\x1b\\udcff: see --help"),
        (["run", "now"], "'now' is one argument too many: see --help"),
        (["run", "--web"], "unknown flag --web: see --help"),
        (["run", "--log.level"], "flag --log.level: expected one argument: debug|info|warn|error"),
        (
            ["run", "--no-push.command-args=1"],
            "flag --push.command-args: '1' is too much: it takes no value, or is written --no-push.command-args",
        ),
        (["rum"], "'rum' is no command; did you mean run?: name one of run, collector: see kmsg-exporter --help"),
        ([], "no command is given: name one of run, collector: see kmsg-exporter --help"),
    ],
)
def test_what_argparse_refuses_is_one_line(parser: Parser, argv: list[str], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parser.parse_args(argv)
    assert str(caught.value) == text


def test_flags_are_grouped_in_help(parser: Parser, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["run", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    titles = [line for line in text.splitlines() if line.endswith(":") and line[0].isupper()]
    assert titles == [
        "Configuration:",
        "Tracing:",
        "Web:",
        "Metrics:",
        "Push:",
        "Collector:",
        "Node:",
        "Directories:",
        "Paths:",
        "Logging:",
    ]
    assert "--web.max-requests N  Requests that are served at once" in text
    assert "(repeatable; default: :10144)" in text


def test_every_option_has_a_flag_for_run() -> None:
    assert options("run") == OPTIONS


def test_the_collector_takes_its_own_flags_only() -> None:
    assert [option.flag for option in options("collector")] == [
        "--config.file",
        "--collector.listen-address",
        "--collector.directory",
        "--collector.page-address",
        "--collector.web-config-file",
        "--collector.allow-anonymous",
        "--collector.retention-seconds",
        "--collector.max-bytes",
        "--collector.silent-after-seconds",
        "--collector.forget-after-seconds",
        "--collector.access-log",
        "--state-directory",
        "--runtime-directory",
        "--log.level",
        "--log.format",
        "--web.config.file",
    ]


def test_the_name_of_an_option_gives_its_flag_variable_and_field() -> None:
    option = next(option for option in OPTIONS if option.name == "readers.scan-interval-seconds")
    assert (option.flag, option.variable, option.field) == (
        "--readers.scan-interval-seconds",
        "KMSG_EXPORTER_READERS_SCAN_INTERVAL_SECONDS",
        "readers_scan_interval_seconds",
    )
