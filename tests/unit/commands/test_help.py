"""--help, as a person reads it in 80 columns."""

from __future__ import annotations

import re
import shlex

import pytest

from kmsg_exporter import cli

COMMANDS = tuple(cli._COMMANDS)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What each command's --help prints, that of the program as ''."""
    monkeypatch.setenv("COLUMNS", "80")
    texts = {}
    for command in ("", *COMMANDS):
        with pytest.raises(SystemExit) as ended:
            cli.main([*command.split(), "--help"], {})
        assert ended.value.code == 0
        texts[command] = capsys.readouterr().out
    return texts


def examples(text: str) -> list[list[str]]:
    """The words of each example, without the program's name."""
    found = re.findall(r"^  (?:sudo )?kmsg-exporter (.*?) +# \S", text, re.MULTILINE)
    return [shlex.split(line) for line in found]


def test_every_help_has_examples_that_can_be_run(shown: dict[str, str]) -> None:
    for command, text in shown.items():
        assert len(examples(text)) >= 2, command
        for words in examples(text):
            assert words[0] == command or not command
            cli.parser().parse_args(words)


def test_every_command_s_help_has_its_exit_codes_and_where_options_come_from(shown: dict[str, str]) -> None:
    for command in COMMANDS:
        assert re.search(r"^exit codes: 0 .*\b1 .*\b2 ", shown[command], re.MULTILINE | re.DOTALL), command
        assert "KMSG_EXPORTER_WEB_MAX_REQUESTS" in shown[command]


def test_no_line_is_wider_than_a_terminal(shown: dict[str, str]) -> None:
    wide = [line for text in shown.values() for line in text.splitlines() if len(line) > 80]
    assert wide == []


def test_each_command_is_listed_once_in_a_group_with_what_it_does(shown: dict[str, str]) -> None:
    groups = re.findall(r"^([a-z ]+):\n((?:  [a-z]+ +\S.*\n)+)", shown[""], re.MULTILINE)
    titles = [title for title, _ in groups]
    assert titles[:3] == ["for a person at a node", "to let run", "to set up and to clean up"]
    listed = [line.split()[0] for _, lines in groups[:3] for line in lines.splitlines()]
    assert sorted(listed) == sorted(COMMANDS)


def test_flags_stand_in_groups(shown: dict[str, str]) -> None:
    for command in COMMANDS:
        assert re.search(r"^Logging:$", shown[command], re.MULTILINE), command
    assert shown["recover"].index("Which records:") < shown["recover"].index("Configuration:")
