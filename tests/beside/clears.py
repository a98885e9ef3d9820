"""Clears made while one or the other is there, and whether the agent has seen them."""

from __future__ import annotations

from pathlib import Path

from cleaners import clear
from neighbours import SYSLOG
from support import Agent, eventually

TIMES = 10


def cleared(directory: Path, when: str) -> list[int]:
    """By a program of this name; the processes that did, one for each clear."""
    return clear(directory / when, times=TIMES)


def sees(agent: Agent, backend: str, *expected: str, asked: int = 0) -> None:
    """The agent has seen all that was cleared at these times, once, and nothing else."""
    clears = TIMES * len(expected)
    if backend == "function":  # it can't tell a clear from other calls
        hits = {"name": "kmsg_exporter_probe_hits_total", "probe": SYSLOG}
        eventually(lambda: agent.count(**hits) >= clears + asked, why=f"{expected} are counted")
        assert agent.count(**hits) == clears + asked
    else:
        eventually(lambda: agent.count("kmsg_clears_total") >= clears, why=f"{expected} are counted")
        counted = {labels["comm"]: value for labels, value in agent.samples("kmsg_clears_total")}
        assert counted == dict.fromkeys(expected, TIMES)
