"""The tracing files that the shared tests run on: here a fake kernel's, in the kernel tests the real ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_tracefs import FakeTracefs

from kmsg_exporter.tracefs.files import Tracefs


@pytest.fixture
def make_tracefs(make_fake: Callable[[], FakeTracefs]) -> Callable[[], Tracefs]:
    return make_fake
