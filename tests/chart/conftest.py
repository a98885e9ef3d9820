"""Fixtures for the chart. $KMSG_HELM is another Helm to take, $KMSG_KUSTOMIZE a kustomize for those that need one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from charts import Helm


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kustomize: needs $KMSG_KUSTOMIZE")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without a kustomize its tests are not this run's: `tests/chart/all.sh` brings one."""
    if "KMSG_KUSTOMIZE" in os.environ:
        return
    left = [item for item in items if item.get_closest_marker("kustomize")]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]


@pytest.fixture(scope="session")
def helm() -> Helm:
    return Helm()


@pytest.fixture(scope="session")
def crds() -> Path:
    """Where the CRDs are; they are fetched once."""
    subprocess.run([Path(__file__).parent / "setup.sh"], check=True, timeout=300)
    return Path.home() / ".cache" / "kmsg-exporter" / "crds"
