"""Finds this folder's modules, and those that it shares with tests/kernel."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "kernel")]


@pytest.fixture(scope="session")
def backend() -> str:
    return os.environ["KMSG_BACKEND"]
