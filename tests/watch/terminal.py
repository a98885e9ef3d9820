"""A real terminal that a test looks at: tmux, with a server of its own."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from support import CHECKOUT, eventually

PROMPT: Final = "shell>"


class Terminal:
    """A shell in `columns` by `rows`, with PROMPT."""

    def __init__(self, folder: Path, columns: int, rows: int, environ: Mapping[str, str]) -> None:
        self._socket = folder / "tmux"
        home = {
            "PS1": PROMPT,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(CHECKOUT),
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
        }
        shell = [
            "env",
            "-i",
            *(f"{name}={value}" for name, value in ({**home, "TERM": "tmux-256color", **environ}).items()),
        ]
        self.tmux(
            *("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows)),
            shlex.join([*shell, "sh", "-i"]),
        )

    def tmux(self, *words: str) -> str:
        return subprocess.run(
            ["tmux", "-S", self._socket, *words], check=True, capture_output=True, text=True, timeout=60
        ).stdout

    def type(self, *keys: str) -> None:
        """Keys by tmux's names."""
        self.tmux("send-keys", *keys)

    def line(self, text: str) -> None:
        """A line for the shell."""
        self.tmux("send-keys", "-l", text)
        self.type("Enter")

    def lines(self) -> list[str]:
        """What is on the screen."""
        return self.tmux("capture-pane", "-p").split("\n")[: self.size()[1]]

    def coloured(self) -> str:
        """The same with its colours, as escape sequences."""
        return self.tmux("capture-pane", "-p", "-e")

    def shows(self, text: str) -> list[str]:
        """The screen, as soon as it has this text."""
        return self.until(lambda lines: text in "\n".join(lines), why=text)

    def until(self, holds: Callable[[list[str]], object], *, why: str) -> list[str]:
        """The screen, as soon as this holds of it."""

        def look() -> list[str] | None:
            lines = self.lines()
            return lines if holds(lines) else None

        return eventually(look, why=why)

    def size(self) -> tuple[int, int]:
        columns, rows = self.tmux("display", "-p", "#{pane_width} #{pane_height}").split()
        return int(columns), int(rows)

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def close(self) -> None:
        """The terminal is gone, with all that would write to it."""
        subprocess.run(["tmux", "-S", self._socket, "kill-server"], check=False, capture_output=True)


@contextmanager
def terminal(
    folder: Path, columns: int = 80, rows: int = 24, environ: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    found = Terminal(folder, columns, rows, environ or {})
    try:
        found.shows(PROMPT)
        yield found
    finally:
        found.close()


def watch(folder: Path, *flags: str) -> str:
    """The command, for an agent in this folder."""
    words: Sequence[str] = [
        *(sys.executable, "-m", "kmsg_exporter", "watch", "--interval=0.3"),
        *(f"--runtime-directory={folder}/run", f"--state-directory={folder}/state", *flags),
    ]
    return shlex.join(words)
