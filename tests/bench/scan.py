"""What the scan for readers of the log costs among thousands of processes: its own accounting beside the kernel's.

An hour of the agent's ticks goes by at once: the clock between them is made up, the work in them is real. Needs root
and gcc; traces nothing, clears nothing. Its figures stand in README.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kmsg_exporter.process.readers import ReaderScan

_HERE = Path(__file__).parent
_PROC = Path("/proc")
_HOUR_SECONDS = 3600
_INTERVAL_SECONDS = 15.0
_STEP_SECONDS = 0.005  # at each of the agent's ticks
_FILES = 16


@dataclass(frozen=True, slots=True)
class Hour:
    """CPU seconds in an hour, by the thread's clock that the scan accounts with and by what the kernel says.

    `whole_ms` is what the first scan of all processes cost; `ticks` how many ticks it was spread over.
    """

    whole_ms: float
    ticks: int
    accounted: float
    by_kernel: float


def hour(*, opens: bool) -> Hour:
    """An hour in which nobody opens the log, or somebody does at every tick."""
    now = 0.0
    scan = ReaderScan(proc=_PROC, interval_seconds=_INTERVAL_SECONDS, monotonic=lambda: now)
    accounted, kernel = time.thread_time(), _cpu_seconds()
    whole, ticks = 0.0, 0
    for _ in range(_HOUR_SECONDS):
        now += 1.0
        if opens:
            scan.bring_forward()
        if scan.due():
            scan.step(_STEP_SECONDS)
        if not whole:
            ticks += 1
            whole = time.thread_time() - accounted if scan.readers is not None else 0.0
    return Hour(whole * 1000, ticks, time.thread_time() - accounted, _cpu_seconds() - kernel)


@contextmanager
def herd(processes: int) -> Iterator[None]:
    """So many processes more, each with some files open."""
    with tempfile.TemporaryDirectory(prefix="kmsg-bench-") as directory:
        program = Path(directory) / "herd"
        subprocess.run(["gcc", "-O2", "-Wall", "-static", "-o", program, _HERE / "programs" / "herd.c"], check=True)
        command = [str(program), str(processes), str(_FILES)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shepherd:
            if shepherd.stdout is None or shepherd.stdout.readline() != b"ready\n":
                sys.exit(f"scan.py: {processes} processes could not be made")
            yield
            shepherd.communicate()


def _cpu_seconds() -> float:
    return int((_PROC / "self" / "schedstat").read_text().split()[0]) / 1e9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, nargs="+", default=[100, 1000, 5000])
    print(
        "| processes | one scan of all | of a core, quiet | by /proc | of a core, log opened every second | by /proc |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for processes in parser.parse_args().processes:
        with herd(processes):
            there = sum(name.isdigit() for name in os.listdir(_PROC))
            quiet, busy = hour(opens=False), hour(opens=True)
        shares = (
            f"{spent / _HOUR_SECONDS:.3%}"
            for spent in (quiet.accounted, quiet.by_kernel, busy.accounted, busy.by_kernel)
        )
        print(f"| {there:,} | {quiet.whole_ms:.0f} ms in {quiet.ticks} ticks |", " | ".join(shares), "|", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
