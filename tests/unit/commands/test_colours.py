"""Colours are for terminals that have some: recover's as dmesg has it, the screen's of watch as many as there are."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

RECOVER = """
import sys
from pathlib import Path
import pytest
from fake_node import FakeNode
from kmsg_exporter import cli
with pytest.MonkeyPatch.context() as patch:
    node = FakeNode(Path(sys.argv[1]), patch)
    node.print(3, 1, "sda: broken")
    node.kmsg.clear()
    sys.exit(cli.main(["recover", *node.flags(), "--color=auto"]))
"""
WATCH = """
import os
from kmsg_exporter.commands.colours import number_of
from kmsg_exporter.watching.screen import colours_of
print(colours_of(number_of(os.environ)))
"""
PLAIN = "[    1.000000] sda: broken"
COLOURED = "\x1b[32m[    1.000000] \x1b[0m\x1b[33msda: \x1b[0m\x1b[31mbroken\x1b[0m"


def on_a_terminal(script: str, *words: str, **environ: str) -> str:
    """What it prints. In a process of its own: terminfo is read once in each."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", script, *words], stdout=theirs, env=_environ(environ), check=True)
        return os.read(ours, 4096).decode().strip()
    finally:
        os.close(ours)
        os.close(theirs)


def _environ(more: dict[str, str]) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(sys.path), **more}


@pytest.mark.parametrize(
    ("environ", "shown"),
    [
        ({"TERM": "xterm"}, COLOURED),
        ({"TERM": "linux"}, COLOURED),
        ({"TERM": "xterm", "NO_COLOR": "1"}, PLAIN),
        ({"TERM": "vt100"}, PLAIN),
        ({"TERM": "vt220"}, PLAIN),
        ({"TERM": "dumb"}, PLAIN),
        ({"TERM": "made-up-today"}, PLAIN),
        ({}, PLAIN),
    ],
)
def test_recover_is_coloured_where_dmesg_is(tmp_path: Path, environ: dict[str, str], shown: str) -> None:
    assert on_a_terminal(RECOVER, str(tmp_path), **environ) == shown


def test_recover_is_plain_in_a_pipe(tmp_path: Path) -> None:
    words = [sys.executable, "-c", RECOVER, str(tmp_path)]
    done = subprocess.run(words, env=_environ({"TERM": "xterm"}), capture_output=True, text=True, check=True)
    assert done.stdout == f"{PLAIN}\n"


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "1"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "256"),
        ({"TERM": "linux"}, "16"),
        ({"TERM": "vt100"}, "1"),
        ({"TERM": "made-up-today"}, "16"),
    ],
)
def test_the_screen_of_watch_has_the_colours_of_its_terminal(environ: dict[str, str], colours: str) -> None:
    assert on_a_terminal(WATCH, **environ) == colours
