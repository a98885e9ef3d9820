"""Programs of their own name that clear the log, and what an agent is to say of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

from support import Agent, eventually, printk

DMESG = os.path.realpath(shutil.which("dmesg") or "dmesg")


def clear(program: Path, *, times: int, cpu: int | None = None) -> None:
    """Print a line and let `program` clear it, `times` over, on one CPU or wherever the scheduler likes."""
    if not program.exists():
        shutil.copy(DMESG, program)
    pin = [] if cpu is None else ["taskset", "-c", str(cpu)]
    for _ in range(times):
        printk(f"for {program.name} to hide")
        subprocess.run([*pin, program, "-C"], check=True)


class Cleaners:
    """Counts what it lets be cleared from when it is made."""

    def __init__(self, agent: Agent, directory: Path) -> None:
        self._agent = agent
        self._directory = directory
        self._cleared: Counter[tuple[str, str]] = Counter()
        self._emptied = agent.count("kmsg_emptied_total")
        self._unexplained = agent.count("kmsg_unattributed_clears_total")

    def clear(self, name: str, *, times: int = 3, cpu: int | None = None) -> None:
        program = self._directory / name
        clear(program, times=times, cpu=cpu)
        self._cleared[name, str(program)] += times

    def are_counted_once_and_named(self) -> None:
        agent, every = self._agent, self._cleared.total()
        eventually(lambda: agent.count("kmsg_clears_total") >= every, why=f"{every} clears are counted")
        counted = {(labels["comm"], labels["exe"]): value for labels, value in agent.samples("kmsg_clears_total")}
        assert counted == self._cleared
        assert agent.count("kmsg_emptied_total") == self._emptied + every
        assert agent.count("kmsg_unattributed_clears_total") == self._unexplained
        assert agent.count("kmsg_exporter_trace_lost_events_total") == 0
        assert agent.count("kmsg_exporter_probe_missed_total") == 0
