"""A program under test: started, killed -9, started again, with what it said."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

DEADLINE_SECONDS = 90.0


class Program:
    """`ready` says when it has started; each start adds to `log`."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, *, environ: Mapping[str, str], ready: Callable[[], bool]
    ) -> None:
        self.command = [str(word) for word in command]
        self.log = log
        self.environ = dict(environ)
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return once it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, env=self.environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        eventually(self._is_ready, f"{Path(self.command[0]).name} is ready")

    def kill(self) -> None:
        """kill -9, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """As it likes to be stopped; killed when it does not end."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self._process = None

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text(errors="replace")[-4000:]
        return self._ready()


def eventually(done: Callable[[], object], what: str, seconds: float = DEADLINE_SECONDS) -> None:
    """Ask again and again until `done` says so; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain until {what}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
