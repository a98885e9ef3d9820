"""A node of files for the commands."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_node import FakeNode


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNode]:
    with monkeypatch.context() as patch:
        yield FakeNode(tmp_path, patch)
    time.tzset()
