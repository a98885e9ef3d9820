"""Programs of their own name that clear the log, and what an agent is to say of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from support import Agent, eventually, printk

EMPTIED = "kmsg_emptied_total"
NEVER = (
    "kmsg_unattributed_clears_total",
    "kmsg_exporter_trace_lost_events_total",
    "kmsg_exporter_probe_missed_total",
)
DMESG = os.path.realpath(shutil.which("dmesg") or "dmesg")


def clear(program: Path, *, times: int, cpu: int | None = None) -> list[int]:
    """Print a line and let `program` clear it, `times` over, on one CPU or anywhere; the processes that did."""
    if not program.exists():
        shutil.copy(DMESG, program)
    pin = [] if cpu is None else ["taskset", "-c", str(cpu)]
    pids = []
    for _ in range(times):
        printk(f"for {program.name} to hide")
        with subprocess.Popen([*pin, program, "-C"]) as process:
            pids.append(process.pid)
        assert process.returncode == 0
    return pids


def told(agent: Agent) -> Counter[str]:
    """What the agent counts that a clear may change: its clears by executable, and what goes with them."""
    counts = Counter({labels["exe"]: int(value) for labels, value in agent.samples("kmsg_clears_total")})
    counts.update({name: int(agent.count(name)) for name in (EMPTIED, *NEVER)})
    return counts


class Cleaners:
    """What it lets be cleared, added to what the agent has counted before."""

    def __init__(self, agent: Agent, directory: Path) -> None:
        self._agent = agent
        self._directory = directory
        self._expected = told(agent)

    def clear(self, name: str, *, times: int = 3, cpu: int | None = None) -> None:
        program = self._directory / name
        clear(program, times=times, cpu=cpu)
        self._expected.update({str(program): times, EMPTIED: times})

    def are_counted_once_and_named(self) -> None:
        every = self._expected.total()
        eventually(lambda: told(self._agent).total() >= every, why=f"{self._expected}")
        assert told(self._agent) == self._expected
