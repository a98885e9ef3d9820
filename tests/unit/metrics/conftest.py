"""A full observation, and web servers on 127.0.0.1 that end with their test."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.metrics.web import WebServer
from kmsg_exporter.model import Observation, ProbeState, PushState, Reader, RingState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def full() -> Observation:
    return Observation(
        backend="kprobe",
        ready=True,
        ring=RingState(
            empty=True, hidden_records=812, records_total=9000, overwritten_records_total=188, buffer_bytes=262144
        ),
        readers=(
            Reader(1, "systemd-journal", "/usr/lib/systemd/systemd-journald", "dev_kmsg"),
            Reader(2, "dmesg", "/usr/bin/dmesg", "dev_kmsg"),
            Reader(3, "dmesg", "/usr/bin/dmesg", "dev_kmsg"),
        ),
        probes=(ProbeState("syslog", attached=True, hits=7, missed=1), ProbeState("devkmsg_read", attached=False)),
        trace_lost_events_total=4,
        attributions_total={"procfs": 5, "exec_trace": 2},
        push=PushState(
            queue_events=3,
            queue_oldest_timestamp_seconds=1700000000.0,
            sent_total=11,
            attempts_total=14,
            failures_total={"connection": 2},
            rejected_total=1,
            dropped_total={"queue_full": 6},
            last_success_timestamp_seconds=1700000100.0,
        ),
    )


@pytest.fixture
def totals() -> Totals:
    return Totals()


@pytest.fixture
def serve(totals: Totals) -> Iterator[Callable[..., WebServer]]:
    """Starts a server for `totals`; when the test is over all are stopped, and none of their threads is left."""
    before = set(threading.enumerate())
    with contextlib.ExitStack() as stack:

        def start(observation: Observation | None = None, **options: Any) -> WebServer:
            seen = observation or Observation("kprobe", ready=True)
            given = {"totals": totals, "observe": lambda: seen, "version": "0.1.0", **options}
            return stack.enter_context(WebServer([("127.0.0.1", 0)], **given))

        yield start
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive()
