"""Fixtures of the storms: the agent's backend, the compiled programs, and the table of figures at the end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))
sys.path.insert(0, str(Path(__file__).parent))

from figures import Figures
from support import IN_GUEST

FIGURES = Figures()


@pytest.fixture(scope="session")
def backend() -> str:
    return os.environ["KMSG_BACKEND"]


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of the compiled programs."""
    return Path(os.environ["KMSG_STORM_PROGRAMS"])


@pytest.fixture(scope="session")
def figures() -> Figures:
    return FIGURES


@pytest.fixture(scope="session")
def emulated() -> bool:
    """Whether this machine is an emulated one, some twenty times slower than a real one."""
    return IN_GUEST


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "backends(*names): only with these backends")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this backend can't show: that is no skip."""
    markers = {item: item.get_closest_marker("backends") for item in items}
    left = [item for item, marker in markers.items() if marker and os.environ["KMSG_BACKEND"] not in marker.args]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES.rows:
        terminalreporter.section("figures")
        for line in FIGURES.table():
            terminalreporter.write_line(line)
