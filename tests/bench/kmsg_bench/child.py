"""A process that the bench starts and stops, and what /proc says that it costs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

_STOP_SECONDS = 60.0  # what a storm has left behind is worked off first
_PROC = Path("/proc")


class BenchError(Exception):
    """The figures can't be taken: what is in the way, and what to do."""


class Child:
    """Runs from `start` until it is left; its output goes to `log`. Asked to stop, killed if that is not enough."""

    stop_signal = signal.SIGINT

    def __init__(self, command: Sequence[str | Path], log: Path, *, proc: Path = _PROC) -> None:
        self._command = [str(word) for word in command]
        self._log = log
        self._proc = proc
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            self.clean_up()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It runs not at all before this is over."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def clean_up(self) -> None:
        """Remove what it can't remove itself: it was killed."""

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    def require_alive(self) -> None:
        """Raises BenchError with what it said when it has ended."""
        if self._running().poll() is not None:
            raise BenchError(f"{Path(self._command[0]).name} ended: {self.log.strip()}")

    @property
    def is_started(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        return self._running().pid

    def cpu_seconds(self) -> float:
        """User and system time of all its threads so far."""
        return self.cpu_seconds_of(self._folder())

    @staticmethod
    def cpu_seconds_of(folder: Path) -> float:
        """The same of any process, by its folder in /proc."""
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_kib(self) -> int:
        """The most memory that it ever had resident."""
        return self._value(self._folder() / "status", "VmHWM:")

    def rss_kib(self) -> int:
        return self._value(self._folder() / "status", "VmRSS:")

    def pss_kib(self) -> int:
        """Its share of the memory: a page that n processes hold counts 1/n."""
        return self._value(self._folder() / "smaps_rollup", "Pss:")

    def wakeups(self) -> int:
        """How often its threads have gone to sleep, which is how often they were woken."""
        tasks = (self._folder() / "task").iterdir()
        return sum(self._value(task / "status", "voluntary_ctxt_switches:") for task in tasks)

    def _folder(self) -> Path:
        return self._proc / str(self._running().pid)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise BenchError(f"{self._command[0]} was not started")
        return self._process

    @staticmethod
    def _value(path: Path, key: str) -> int:
        return next(int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(key))
