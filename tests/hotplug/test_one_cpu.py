"""A kernel that is told to have one CPU (nr_cpus=1): nothing is different."""

from __future__ import annotations

from pathlib import Path

from cleaners import Cleaners
from cpus import cpu_list
from support import Agent


def test_machine_has_one_cpu() -> None:
    assert cpu_list("possible") == [0]


def test_every_clear_is_counted_once_and_named(agent: Agent, tmp_path: Path) -> None:
    cleaners = Cleaners(agent, tmp_path)
    cleaners.clear("one", times=10)
    cleaners.clear("other", times=10)
    cleaners.are_counted_once_and_named()
