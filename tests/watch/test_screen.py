"""The screen in a real terminal, with a real agent: looked at as a person would."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest
from support import Agent, eventually
from terminal import Terminal, terminal, watch
from wcwidth import wcswidth

ESCAPED = "\\x1b[2J\\x1b]2;"  # what is left of the reader's name in 15 columns
pytestmark = pytest.mark.usefixtures("_reader")


def started(shell: Terminal, agent: Agent, *flags: str) -> list[str]:
    """The screen as soon as it has rates."""
    shell.line(f"echo before; {watch(agent.directory, *flags)}")
    rate = re.compile(r"\\x1b\[2J.*\d\.\d")
    return shell.until(lambda lines: rate.search("\n".join(lines)), why="a row of the reader with its rate")


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (200, 50), (40, 12)])
def test_it_fits_the_terminal_and_nothing_hostile_gets_through(
    agent: Agent, tmp_path: Path, columns: int, rows: int
) -> None:
    with terminal(tmp_path, columns, rows) as shell:
        lines = started(shell, agent)
        assert len(lines) == rows
        assert max(map(wcswidth, lines)) <= columns
        assert lines[0].startswith(" kmsg-exporter watch")
        assert lines[-1].startswith(" q")
        text = "\n".join(lines)
        assert " ring " in text
        assert "dmesg[1320]" in text
        assert "389 hidden" in text
        assert shell.tmux("display", "-p", "#{pane_title}").strip() != "pwn"
        if columns >= 80:
            assert f"via  the agent (pid {agent.pid}, " in text
            assert "cleanup.sh <- cron" in text


def test_a_person_sorts_filters_pauses_and_opens(agent: Agent, tmp_path: Path) -> None:
    with terminal(tmp_path) as shell:
        started(shell, agent)
        shell.type("s")
        shell.shows("s sort:clears")
        shell.type("r")
        shell.shows("sort:clears reversed")
        shell.type("/", "n", "o", "n", "e", "Enter")
        shell.shows("nobody fits 'none'")
        shell.type("Escape")
        shell.shows(ESCAPED)
        shell.type("p")
        stopped = shell.shows("PAUSED")
        eventually(lambda: shell.lines()[0] == stopped[0])
        shell.type("Tab", "End", "Enter")  # the oldest of them; newer ones are this machine's own
        opened = "\n".join(shell.shows("run by"))
        assert "1318 cleanup.sh /usr/bin/dash" in opened
        assert "115 cron /usr/sbin/cron" in opened
        assert "Killed process 123 (payments)" in opened
        shell.type("Escape")
        shell.type("?")
        shell.shows("page up page down")


def test_it_follows_the_terminals_size(agent: Agent, tmp_path: Path) -> None:
    with terminal(tmp_path) as shell:
        started(shell, agent)
        for columns, rows in ((40, 12), (120, 40), (30, 6), (80, 24)):
            shell.resize(columns, rows)

            def fits(rows: int = rows, columns: int = columns) -> bool:
                lines = shell.lines()
                full = len(lines) == rows and lines[-1].startswith(" q") and lines[0].startswith(" kmsg-exporter")
                return full and max(map(wcswidth, lines)) <= columns

            eventually(fits, why=f"{columns}x{rows}")


def test_colours_are_left_out_where_they_are_not_wanted(agent: Agent, tmp_path: Path) -> None:
    colour = re.compile(r"\x1b\[(?:[0-9]+;)*[349][0-7][;m]")
    ways: tuple[tuple[str, dict[str, str], bool], ...] = (("a", {}, True), ("b", {"NO_COLOR": "1"}, False))
    for name, environ, coloured in ways:
        (tmp_path / name).mkdir()
        with terminal(tmp_path / name, environ=environ) as shell:
            started(shell, agent)
            assert bool(colour.search(shell.coloured())) == coloured


def children(shell: Path) -> list[int]:
    """What the shell runs whose pid is in this file."""
    pid = shell.read_text().strip()
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize("end", ["q", "C-c", "TERM"])
def test_afterwards_the_terminal_is_as_it_was(agent: Agent, tmp_path: Path, end: str) -> None:
    with terminal(tmp_path) as shell:
        shell.line(f"stty -g > {tmp_path}/stty.before; echo $$ > {tmp_path}/shell")
        started(shell, agent)
        (child,) = children(tmp_path / "shell")
        if end == "TERM":
            os.kill(child, signal.SIGTERM)
        else:
            shell.type(end)
        eventually(lambda: not children(tmp_path / "shell"))  # or what is typed now is its
        shell.line(f"echo after $?; stty -g > {tmp_path}/stty.after")
        after = "\n".join(shell.shows("after 0"))
        assert "before" in after
        assert "kmsg-exporter watch  " not in after
        assert "Traceback" not in after
        eventually(lambda: (tmp_path / "stty.after").exists() and (tmp_path / "stty.after").read_text())
        assert (tmp_path / "stty.after").read_text() == (tmp_path / "stty.before").read_text()
        assert shell.tmux("display", "-p", "#{cursor_flag}#{alternate_on}#{mouse_any_flag}").strip() == "100"
