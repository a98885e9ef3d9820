"""What tracing costs a traced call and an unrelated one, in interleaved rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_bench.bpftrace import ENTER, ENTER_EXIT, Bpftrace
from kmsg_bench.child import BenchError
from kmsg_bench.figures import Spread
from kmsg_bench.programs import CALLS, Caller
from kmsg_bench.service import Service, agent

NONE: Final = "none"
AGENT: Final = "agent"
COMPAT: Final = "agent, --trace.compat-syscalls"
BPF_ENTER: Final = "bpftrace, enter"
BPF_ENTER_EXIT: Final = "bpftrace, enter and exit"
TRACERS: Final = (NONE, AGENT, BPF_ENTER, BPF_ENTER_EXIT, COMPAT)

# A burst fits into the trace buffer and the pause lets the agent read it: what is dropped costs less than what is kept.
_BURSTS, _BURST_CALLS, _PAUSE_SECONDS = 50, 1000, 0.03
_UNRELATED_BURSTS, _UNRELATED_CALLS = 20, 100_000
_SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Cost:
    """What one tracer costs. Calls in nanoseconds, and as ratios to no tracing in the same round."""

    traced_ns: Spread
    traced_ratio: Spread
    unrelated_ns: Spread
    unrelated_ratio: Spread
    tracer_cpu_us: Spread  # of the tracing process, for each traced call
    tracer_rss_mib: Spread
    lost: int


@dataclass(slots=True)
class _Round:
    traced_ns: float
    unrelated_ns: float
    cpu_us: float = 0.0
    rss_mib: float = 0.0
    lost: int = 0


def measure(directory: Path, caller: Caller, *, rounds: int, push_to: int, bpftrace: bool) -> dict[str, Cost]:
    """Each tracer once a round, one after the other; none of them runs while another is measured."""
    tracers = TRACERS if bpftrace else (NONE, AGENT, COMPAT)
    found: dict[str, list[_Round]] = {tracer: [] for tracer in tracers}
    for _ in range(rounds):
        for tracer in tracers:
            with _tracing(tracer, directory, push_to) as running:
                found[tracer].append(_one_round(caller, running))
            if isinstance(running, Bpftrace):
                _require_all(running)
    base = found[NONE]
    return {tracer: _cost(found[tracer], base) for tracer in tracers}


@contextmanager
def _tracing(tracer: str, directory: Path, push_to: int) -> Iterator[Service | Bpftrace | None]:
    if tracer == NONE:
        yield None
    elif tracer in (AGENT, COMPAT):
        flags = ("--trace.compat-syscalls",) if tracer == COMPAT else ()
        with agent(directory, "--backend", "tracepoint", *flags, push_to=push_to) as running:
            yield running
    else:
        with Bpftrace(ENTER if tracer == BPF_ENTER else ENTER_EXIT, directory / "bpftrace.log") as counting:
            yield counting


def _one_round(caller: Caller, running: Service | Bpftrace | None) -> _Round:
    time.sleep(_SETTLE_SECONDS)
    unrelated = caller.time_ns("getppid", bursts=_UNRELATED_BURSTS, calls=_UNRELATED_CALLS, pause_seconds=0.001)
    before = running.cpu_seconds() if running else 0.0
    traced = caller.time_ns("syslog", bursts=_BURSTS, calls=_BURST_CALLS, pause_seconds=_PAUSE_SECONDS)
    result = _Round(statistics.median(traced), statistics.median(unrelated))
    if running:
        time.sleep(_SETTLE_SECONDS)
        result.cpu_us = (running.cpu_seconds() - before) / (_BURSTS * _BURST_CALLS) * 1e6
        result.rss_mib = running.rss_kib() / 1024
    if isinstance(running, Service):
        result.lost = int(running.metric("kmsg_exporter_trace_lost_events_total"))
    return result


def _require_all(counting: Bpftrace) -> None:
    counted = counting.counted(CALLS)
    if counted != _BURSTS * _BURST_CALLS:
        raise BenchError(f"bpftrace counted {counted} of {_BURSTS * _BURST_CALLS} calls: it was not attached in time")


def _cost(rounds: list[_Round], base: list[_Round]) -> Cost:
    return Cost(
        traced_ns=Spread.of([one.traced_ns for one in rounds]),
        traced_ratio=Spread.of([one.traced_ns / none.traced_ns for one, none in zip(rounds, base, strict=True)]),
        unrelated_ns=Spread.of([one.unrelated_ns for one in rounds]),
        unrelated_ratio=Spread.of(
            [one.unrelated_ns / none.unrelated_ns for one, none in zip(rounds, base, strict=True)]
        ),
        tracer_cpu_us=Spread.of([one.cpu_us for one in rounds]),
        tracer_rss_mib=Spread.of([one.rss_mib for one in rounds]),
        lost=sum(one.lost for one in rounds),
    )
