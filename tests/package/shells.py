"""A shell at a terminal, and somebody who presses Tab in it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

_PATIENCE_SECONDS: Final = 60.0
_ENVIRON: Final = {"PATH": "/usr/bin:/bin", "TERM": "dumb", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}


class Shell:
    def __init__(self, terminal: int) -> None:
        self._terminal = terminal

    def shows(self, typed: str, expected: str) -> str:
        """Type this; what the terminal shows until the text that is expected is there."""
        os.write(self._terminal, typed.encode())
        shown, over = b"", time.monotonic() + _PATIENCE_SECONDS
        while expected.encode() not in shown:
            left = over - time.monotonic()
            if left <= 0 or not select.select([self._terminal], [], [], left)[0]:
                raise AssertionError(f"{expected!r} is not in {shown.decode(errors='replace')!r}")
            shown += os.read(self._terminal, 65536)
        return shown.decode()


@contextmanager
def shell(*command: str) -> Iterator[Shell]:
    """It is killed at the end."""
    pid, terminal = pty.fork()
    if pid == 0:
        _become(command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 160, 0, 0))
    try:
        yield Shell(terminal)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.close(terminal)
        os.waitpid(pid, 0)


def _become(command: Sequence[str]) -> None:
    try:
        os.execvpe(command[0], list(command), _ENVIRON)  # noqa: S606
    finally:
        os._exit(127)
