"""The tracing files that these tests run on: a fake kernel's, or with KMSG_TRACEFS those of the kernel that runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kmsg_exporter.tracefs.files import Tracefs, open_tracefs

MOUNTED = os.environ.get("KMSG_TRACEFS")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*files): of tracefs, or @symbols, without which a kernel can't do this")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this kernel was built without."""
    left = [item for item in items if not _can(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


def _can(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("needs")
    return MOUNTED is None or marker is None or all(_is_writable(Path(MOUNTED) / name) for name in marker.args)


def _is_writable(path: Path) -> bool:
    if path.name.startswith("@"):  # a symbol
        return f" {path.name[1:]}\n" in Path("/proc/kallsyms").read_text()
    try:
        if path.name == "hist":  # is only read
            return path.exists()
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
    except OSError:
        return False
    return True


@pytest.fixture
def make_tracefs() -> Iterator[Callable[[], Tracefs]]:
    with ExitStack() as stack:
        if MOUNTED is None:
            from fake_tracefs import FakeTracefs

            def make() -> Tracefs:
                fake = FakeTracefs()
                stack.callback(fake.close)
                return fake

            yield make
        else:
            yield lambda: open_tracefs(Path(MOUNTED), proc=Path("/proc"))
