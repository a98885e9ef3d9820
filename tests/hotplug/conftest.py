"""In a booted guest, on what tests/kernel has: an agent that really runs, and its metrics."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))
sys.path.insert(0, str(Path(__file__).parent))

from clock import put_right_afterwards
from support import Agent, running


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with running(tmp_path_factory.mktemp("agent"), "kprobe", "--collector.embedded") as one:
        yield one


@pytest.fixture(autouse=True)
def _clock_is_put_right_again() -> Iterator[None]:
    with put_right_afterwards():
        yield
