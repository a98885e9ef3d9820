"""On what tests/kernel and tests/hotplug have: an agent that really runs, and programs that clear the log."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

for _beside in ("kernel", "hotplug", "beside"):
    sys.path.insert(0, str(Path(__file__).parents[1] / _beside))


@pytest.fixture(scope="session")
def backend() -> str:
    return os.environ["KMSG_BACKEND"]
