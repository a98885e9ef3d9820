"""Tracing files for the tests: a fake kernel's, made with what that kernel has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from fake_tracefs import FakeTracefs, Kernel

MakeTracefs = Callable[..., FakeTracefs]


@pytest.fixture
def make_fake() -> Iterator[MakeTracefs]:
    """Makes a fake kernel's tracing files; they are gone when the test ends."""
    with ExitStack() as stack:

        def make(kernel: Kernel | None = None) -> FakeTracefs:
            fake = FakeTracefs(kernel)
            stack.callback(fake.close)
            return fake

        yield make


@pytest.fixture
def fake(make_fake: MakeTracefs) -> FakeTracefs:
    """The tracing files of an ordinary x86-64 kernel."""
    return make_fake()
