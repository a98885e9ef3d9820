"""Tracing of its own, where no agent runs when it begins: the node is given up, taken again, and left as it was."""

from __future__ import annotations

from pathlib import Path

from support import Agent, eventually, ours_in_tracefs
from terminal import PROMPT, terminal, watch


def test_agents_come_and_go_while_it_is_watched(tmp_path: Path) -> None:
    """Nobody loses the place in the table to that: it begins alone, gives way to an agent, and waits for it."""
    agent = Agent(tmp_path, "auto")
    with terminal(tmp_path) as shell:
        try:
            shell.line(watch(tmp_path))
            shell.shows("via  this command's own tracing")
            assert ours_in_tracefs()
            agent.start()
            shell.shows(f"via  the agent (pid {agent.pid}, ")
            assert agent.stop() == 0
            shell.shows("via  nobody: waiting for the agent")
            assert ours_in_tracefs() == []
            agent.start()
            shell.shows(f"via  the agent (pid {agent.pid}, ")
        finally:
            agent.close()
        shell.shows("via  this command's own tracing")
        shell.type("q")
        eventually(lambda: ours_in_tracefs() == [])


def test_a_terminal_that_is_closed_leaves_nothing_in_tracefs(tmp_path: Path) -> None:
    with terminal(tmp_path) as shell:
        shell.line(watch(tmp_path))
        shell.shows("via  this command's own tracing")
        assert ours_in_tracefs()
    eventually(lambda: ours_in_tracefs() == [])


def test_a_second_one_says_who_traces(tmp_path: Path) -> None:
    with terminal(tmp_path) as shell:
        shell.line(watch(tmp_path))
        shell.shows("via  this command's own tracing")
        (tmp_path / "second").mkdir()
        with terminal(tmp_path / "second", 200, 24) as other:
            other.line(watch(tmp_path))
            assert "via  a look at the log alone: another kmsg-exporter (pid " in "\n".join(other.shows("via  a look"))
            other.type("q")
            other.shows(PROMPT)
        assert ours_in_tracefs()
        shell.type("q")
        eventually(lambda: ours_in_tracefs() == [])
