"""Processes of a test: the living in a fake /proc, the dead in what a flight recorder holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_past import Past
from fake_proc import FakeProc
from fake_tracefs import FakeTracefs

from kmsg_exporter.process.actor import Resolver
from kmsg_exporter.process.recorder import FlightRecorder
from kmsg_exporter.tracefs.instance import Instance

LATER = 1 << 62  # than any file of a test was made


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


@pytest.fixture
def past(fake: FakeTracefs) -> Iterator[Past]:
    """What happened before: recorded by a flight recorder that has started."""
    with Instance(fake, "recorder", buffer_size_kb=64, overwrite=True) as instance:
        recorder = FlightRecorder(instance, boot_ns=lambda: 0)
        recorder.start()
        yield Past(fake, recorder)


@pytest.fixture
def resolver(past: Past, proc: FakeProc) -> Resolver:
    return Resolver(past.recorder, proc=proc.folder, boot_ns=lambda: 0, unix_ns=lambda _: LATER)
