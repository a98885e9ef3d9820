"""The C programs that make the calls."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from kmsg_bench.child import BenchError

_STOP_SECONDS = 5.0
CALLS = "bench-calls"
CLEAR = "bench-clear"
LOAD = "bench-load"


def compile_programs(sources: Path, directory: Path) -> None:
    """Make them in `directory`, under the names they are to be seen by; static what guests run. Raises BenchError."""
    for source, name, flags in (("calls.c", CALLS, ["-static"]), ("load.c", LOAD, ["-static"]), ("clear.c", CLEAR, [])):
        try:
            subprocess.run(["gcc", "-O2", "-Wall", *flags, "-o", directory / name, sources / source], check=True)
        except (OSError, subprocess.CalledProcessError) as exc:
            raise BenchError(f"{source} can't be compiled (apt-get install gcc libc6-dev): {exc}") from exc


class Caller:
    """One process that makes system calls in bursts, the same one over all rounds."""

    def __init__(self, directory: Path) -> None:
        self._program = directory / CALLS

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([self._program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=_STOP_SECONDS)

    def time_ns(self, call: str, *, bursts: int, calls: int, pause_seconds: float) -> list[float]:
        """Nanoseconds a call, one figure for each burst."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise BenchError(f"{CALLS} has no pipes")
        stdin.write(f"{call} {bursts} {calls} {int(pause_seconds * 1e6)}\n")
        stdin.flush()
        return [float(figure) for figure in stdout.readline().split()]


class Clearer:
    """Starts the short-lived program that clears the log."""

    def __init__(self, directory: Path) -> None:
        self._program = str(directory / CLEAR)

    def bare_seconds(self) -> float:
        """How long it takes to start and to end, without a clear."""
        begun = time.perf_counter()
        pid = os.posix_spawn(self._program, [CLEAR, "nothing"], {})
        os.waitpid(pid, 0)
        return time.perf_counter() - begun

    def begin(self) -> Clear:
        """Start it."""
        reading, writing = os.pipe()
        pid = os.posix_spawn(self._program, [CLEAR], {}, file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)])
        os.close(writing)
        return Clear(pid, reading)


class Clear:
    """One clear under way."""

    def __init__(self, pid: int, pipe: int) -> None:
        self._pid = pid
        self._pipe = pipe

    def moment(self) -> float:
        """Wait for it: when it was, in seconds of CLOCK_MONOTONIC. Raises BenchError when it was refused."""
        said = os.read(self._pipe, 8)
        if len(said) != 8:
            raise BenchError("the kernel refused to clear its log: run as root, with CAP_SYSLOG")
        return int.from_bytes(said, "little") / 1e9

    def finish(self) -> None:
        """Wait for the end of the program."""
        os.close(self._pipe)
        os.waitpid(self._pid, 0)
