"""Load: programs that run beside the agent, and what the agent takes for it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from support import DEADLINE_SECONDS, TRACEFS

_TICKS = os.sysconf("SC_CLK_TCK")
_EXEC_WORKERS = 8  # on busy CPUs one alone waits for its turn
MIB = 1 << 20


def counted_in_kernel() -> bool:
    """Whether this kernel has histogram triggers: then what its buffers had no room for is counted all the same."""
    return (TRACEFS / "events" / "sched" / "sched_process_exec" / "hist").exists()


@contextmanager
def busy_cpus() -> Iterator[None]:
    """Something that never sleeps on each CPU."""
    with ExitStack() as stack:
        for cpu in sorted(os.sched_getaffinity(0)):
            spinner = subprocess.Popen(["taskset", "-c", str(cpu), "sh", "-c", "while :; do :; done"])
            stack.callback(_kill, spinner)
        yield


class Execs:
    """Programs that start and end all the time; `per_second` stands when it is over."""

    def __init__(self, programs: Path, per_second: int) -> None:
        command = [str(programs / "execs"), str(per_second // _EXEC_WORKERS), str(programs / "nothing")]
        self._workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(_EXEC_WORKERS)]
        for worker in self._workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "started\n"
        self.per_second = 0.0

    def stop(self) -> None:
        for worker in self._workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self._workers:
            said, _ = worker.communicate()
            count, seconds = said.split()
            self.per_second += int(count) / float(seconds)


@contextmanager
def execs(programs: Path, per_second: int) -> Iterator[Execs]:
    """`per_second` execs a second, as far as this machine can."""
    running = Execs(programs, per_second)
    try:
        yield running
    finally:
        running.stop()


def comes_to(wanted: float, ask: Callable[[], float]) -> None:
    """It is so much in the end; a slow machine may take its time, as long as it gets on."""
    found, deadline = None, time.monotonic() + DEADLINE_SECONDS
    while (now := ask()) != wanted:
        if now != found:
            found, deadline = now, time.monotonic() + DEADLINE_SECONDS
        elif time.monotonic() > deadline:
            raise AssertionError(f"it is {now:.0f} and stays so: not {wanted:.0f}")
        time.sleep(0.05)


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@dataclass(frozen=True, slots=True)
class Used:
    """What a process has taken up to a moment of the monotonic clock: CPU in seconds, memory in bytes."""

    moment: float
    cpu_seconds: float
    rss_bytes: int
    peak_bytes: int

    def share(self, since: Used, seconds: float) -> float:
        """Of one core: all CPU since then, also what was worked off when the load was over, by the load's seconds."""
        return (self.cpu_seconds - since.cpu_seconds) / seconds


def used(pid: int) -> Used:
    after_comm = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Vm")
    )
    return Used(
        time.monotonic(),
        (int(after_comm[11]) + int(after_comm[12])) / _TICKS,
        int(status["VmRSS"].split()[0]) * 1024,
        int(status["VmHWM"].split()[0]) * 1024,
    )
