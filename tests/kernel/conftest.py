"""Fixtures on a real kernel, a guest's or this machine's. KMSG_BACKEND names the backend under test."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support import IN_GUEST, KERNEL, Agent, running

BACKEND = os.environ.get("KMSG_BACKEND", "tracepoint")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "backends(*names): only with these backends")
    config.addinivalue_line("markers", "guest: only in a booted guest, where it may disturb the whole machine")
    config.addinivalue_line("markers", "hist: only where the kernel can count by itself")
    config.addinivalue_line("markers", "once: no backend has a part in it, a kernel's first is enough")
    config.addinivalue_line("markers", "kernels(*names): of those that are booted only these, no other shows more")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this backend or machine can't show, the table in the README says so, or what another has shown."""
    fits: list[pytest.Item] = []
    left: list[pytest.Item] = []
    for item in items:
        right_backend = _names(item, "backends", BACKEND)
        right_place = IN_GUEST or item.get_closest_marker("guest") is None
        right_kernel = item.get_closest_marker("hist") is None or _counts()
        first = not IN_GUEST or BACKEND == "kprobe" or item.get_closest_marker("once") is None
        needed = not IN_GUEST or _names(item, "kernels", KERNEL)
        (fits if right_backend and right_place and right_kernel and first and needed else left).append(item)
    config.hook.pytest_deselected(items=left)
    items[:] = fits


def _names(item: pytest.Item, marker: str, name: str) -> bool:
    """Whether a test has no such marker, or its nearest one has this name."""
    found = item.get_closest_marker(marker)
    return found is None or name in found.args


def _counts() -> bool:
    """Whether this kernel has histogram triggers, and shows where its tick count is."""
    hist = Path("/sys/kernel/tracing/events/sched/sched_process_exec/hist")
    return hist.exists() and " jiffies_64\n" in Path("/proc/kallsyms").read_text()


@pytest.fixture(scope="session")
def backend() -> str:
    return BACKEND


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Iterator[Agent]:
    """One agent with the embedded collector, for all tests of a module."""
    with running(tmp_path_factory.mktemp("agent"), backend, "--collector.embedded") as one:
        yield one
