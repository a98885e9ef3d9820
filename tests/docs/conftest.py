"""A copy of this machine for each module; the first has nothing of the project but its files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from copy_of_machine import Machine, copy_of_machine


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with copy_of_machine(tmp_path_factory.mktemp("machine")) as machine:
        yield machine
