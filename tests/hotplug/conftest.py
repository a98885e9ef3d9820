"""In a booted guest, on what tests/kernel has: an agent that really runs, and its metrics."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))
sys.path.insert(0, str(Path(__file__).parent))

from support import Agent, running


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    with running(tmp_path / "agent", "kprobe", "--collector.embedded") as one:
        yield one
