"""How many colours a terminal is given."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = "import os; from kmsg_exporter.watching.screen import colours_of; os.write(1, b'%d' % colours_of(os.environ))"


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
def test_colours_are_those_that_the_terminal_has(environ: dict[str, str], colours: str) -> None:
    """In a process of its own: terminfo is read once in each."""
    assert subprocess.run([sys.executable, "-c", ASK], env=environ, capture_output=True, text=True).stdout == colours
