"""Progress is for a person who waits at a terminal; nobody else ever sees any."""

from __future__ import annotations

import io
import os
import pty
import select
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, TextIO
from unittest.mock import MagicMock

import pytest
from fake_node import FakeNode, emptied

from kmsg_exporter import cli
from kmsg_exporter.agent import place
from kmsg_exporter.commands import cleanup, doctor, history, progress, recover, watch, why
from kmsg_exporter.commands.progress import Progress
from kmsg_exporter.config import Config
from kmsg_exporter.watching.controls import Controls
from kmsg_exporter.watching.ending import Ending
from kmsg_exporter.watching.feed import Feed, Moment

PATIENCE = 20.0


class Terminal:
    """The other side of standard error, read as it comes."""

    def __init__(self, ours: int, stream: TextIO) -> None:
        self._ours = ours
        self.stream = stream
        self._shown = b""

    def shows(self, text: str) -> None:
        """Returns when it does."""
        over = time.monotonic() + PATIENCE
        while text.encode() not in self._shown:
            assert select.select([self._ours], [], [], over - time.monotonic())[0], self._shown
            self._shown += os.read(self._ours, 4096)

    def all(self) -> str:
        return self._shown.decode()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        yield Terminal(ours, stream)
    os.close(ours)


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0.0)


def test_a_step_that_takes_long_is_shown_while_it_runs_and_taken_away(terminal: Terminal) -> None:
    now = [100.0]
    with Progress(terminal.stream, quiet_seconds=0.0, step_seconds=0.001, monotonic=lambda: now[0]) as shown:
        shown("counting sheep")
        terminal.shows("\r\x1b[Kcounting sheep (0 s)")
        now[0] = 107.4
        terminal.shows("\r\x1b[Kcounting sheep (7 s)")
        shown("counting goats")
        terminal.shows("\r\x1b[Kcounting goats (7 s)")
    terminal.stream.write("end")
    terminal.stream.flush()
    terminal.shows("\r\x1b[Kend")


def test_what_is_over_soon_shows_nothing(terminal: Terminal) -> None:
    with Progress(terminal.stream, quiet_seconds=PATIENCE) as shown:
        shown("counting sheep")
    terminal.stream.write("end")
    terminal.stream.flush()
    terminal.shows("end")
    assert terminal.all() == "end"


def test_no_thread_is_left_and_none_begins_where_no_terminal_is() -> None:
    before = threading.active_count()
    stream = io.StringIO()
    for somewhere in (stream, None):
        with Progress(somewhere, quiet_seconds=0.0) as shown:
            shown("counting sheep")
            assert threading.active_count() == before
    assert stream.getvalue() == ""


def test_a_terminal_that_goes_away_ends_only_the_progress() -> None:
    ours, theirs = pty.openpty()
    stream = os.fdopen(theirs, "w")
    with Progress(stream, quiet_seconds=0.0, step_seconds=0.001) as shown:
        shown("counting sheep")
        os.read(ours, 10)
        os.close(ours)
        shown("counting goats")
    with pytest.raises(OSError, match="Input/output error"):
        stream.close()


@pytest.mark.parametrize(
    ("command", "module", "name", "said"),
    [
        ("why", why, "answer", "looking at the log"),
        ("history", history, "read_past", "reading the history"),
        ("recover", recover, "read_ring", "reading the log"),
        ("recover", recover, "_kept", "reading the agent's history"),
        ("doctor", doctor, "diagnose", "looking at this node"),
        ("cleanup", cleanup, "open_tracefs", "looking through tracefs"),
        ("watch", Feed, "__enter__", "asking the agent, or beginning to trace"),
    ],
)
def test_each_command_says_what_it_waits_for_and_takes_it_away_when_it_is_interrupted(
    node: FakeNode,
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    module: Any,
    name: str,
    said: str,
) -> None:
    def slow(*args: Any, **kwargs: Any) -> None:
        if "progress" in kwargs:
            kwargs["progress"]("the log")
        elif name == "diagnose":
            args[2]("looking at this node")
        terminal.shows(f"\r\x1b[K{said} (")
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stderr", terminal.stream)
    monkeypatch.setattr(module, name, slow)
    monkeypatch.setattr(place, "require_privileges", lambda _: None)
    monkeypatch.setattr(place, "take", lambda *_: None)
    node.history(emptied(60, 0, 2))
    assert cli.main([command, *_flags(node, command)], {}) == 130
    terminal.stream.write("end")
    terminal.stream.flush()
    terminal.shows("\r\x1b[Kend")
    assert capsys.readouterr().out == ""


def test_watch_says_that_it_counts_before_it_prints_once(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    moment = Moment(0.0, "nobody", None, None, ())
    feed = MagicMock(next=lambda **_: moment)
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    with Ending() as ending:
        monkeypatch.setattr(ending, "wait", lambda _: terminal.shows("\r\x1b[Kcounting for 30 s ("))
        assert watch._print(feed, Controls(), ending, 30.0, once=True) == 0
    terminal.stream.write("end")
    terminal.stream.flush()
    terminal.shows("\r\x1b[Kend")
    assert "counting" not in capsys.readouterr().out
    feed.__exit__.assert_called_once()


def test_watch_says_what_it_waits_for_before_the_screen_comes(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(_: Feed) -> None:
        terminal.shows("\r\x1b[Kasking the agent, or beginning to trace (")
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stderr", terminal.stream)
    monkeypatch.setattr(Feed, "__enter__", slow)
    monkeypatch.setattr(watch, "configure", lambda *_, **__: None)
    with Ending() as ending, pytest.raises(KeyboardInterrupt):
        watch._show(Config(), Controls(), ending, 1.0, {"TERM": "vt100"})
    terminal.stream.write("end")
    terminal.stream.flush()
    terminal.shows("\r\x1b[Kend")


def _flags(node: FakeNode, command: str) -> list[str]:
    if command == "history":
        return [f"--state-directory={node.state}"]
    return [*node.flags(), f"--path.etc={node.etc}", f"--path.tracefs={node.folder}/none"]
