"""What tracing costs a traced call and an unrelated one, in interleaved rounds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_bench import tracers
from kmsg_bench.audit import Auditd
from kmsg_bench.bpftrace import Bpftrace
from kmsg_bench.child import BenchError
from kmsg_bench.figures import Spread
from kmsg_bench.programs import CALLS, Caller
from kmsg_bench.service import Service
from kmsg_bench.tracers import AGAIN, NONE, Site, Tracer

_SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    A burst fits into the trace buffer and the pause lets the agent read it: what is dropped costs less than what is
    kept.
    """

    rounds: int
    bursts: int = 30
    calls: int = 1000
    pause_seconds: float = 0.03
    unrelated_bursts: int = 20
    unrelated_calls: int = 100_000


EMULATED: Final = Effort(rounds=3, bursts=20, calls=200, pause_seconds=0.05, unrelated_bursts=100, unrelated_calls=5000)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one tracer costs. Calls in nanoseconds by round, and as ratios to no tracing in the same round."""

    traced_ns: tuple[float, ...]
    traced_ratio: Spread
    fastest_ratio: Spread  # of the fastest bursts, not of the median ones
    stopped_ratio: Spread | None  # the median and the fastest while the tracer is stopped; for agents only
    stopped_fastest_ratio: Spread | None
    unrelated_ns: tuple[float, ...]
    unrelated_ratio: Spread
    tracer_cpu_us: Spread  # of the tracing process, for each traced call
    tracer_rss_mib: Spread
    lost: int

    @property
    def traced_median_ns(self) -> float:
        return statistics.median(self.traced_ns)

    @property
    def unrelated_median_ns(self) -> float:
        return statistics.median(self.unrelated_ns)

    def traced_beside(self, other: Cost) -> float:
        """The traced call's time as a ratio to that with another tracer, the median of the rounds."""
        return statistics.median(one / another for one, another in zip(self.traced_ns, other.traced_ns, strict=True))

    def unrelated_beside(self, other: Cost) -> float:
        """The unrelated call's median as a ratio to that with another tracer."""
        return self.unrelated_median_ns / other.unrelated_median_ns


@dataclass(slots=True)
class _Round:
    traced_ns: float
    fastest_ns: float
    unrelated_ns: float
    stopped_ns: float = 0.0
    stopped_fastest_ns: float = 0.0
    cpu_us: float = 0.0
    rss_mib: float = 0.0
    lost: int = 0


def measure(names: Sequence[str], site: Site, programs: Path, effort: Effort) -> dict[str, Cost]:
    """Each tracer once a round, one after the other; none of them runs while another is measured."""
    found: dict[str, list[_Round]] = {name: [] for name in (NONE, *names, AGAIN)}
    with Caller(programs) as caller:
        for _ in range(effort.rounds):
            for name, rounds in found.items():
                rounds.append(_round(name, site, programs, caller, effort))
    return {name: _cost(rounds, found[NONE]) for name, rounds in found.items()}


def noise(costs: Mapping[str, Cost]) -> float:
    """By what factor the medians of two runs without tracing differ for the unrelated call."""
    between = costs[AGAIN].unrelated_beside(costs[NONE])
    return max(between, 1 / between)


def _round(name: str, site: Site, programs: Path, caller: Caller, effort: Effort) -> _Round:
    with ExitStack() as stack:
        running = tracers.make(name, site)
        if running is not None:
            stack.enter_context(running)
        if isinstance(running, Auditd):  # only who is born under audit is audited
            with running.births():
                caller = stack.enter_context(Caller(programs))
        result = _timed(caller, running, effort)
    if isinstance(running, Bpftrace) and (counted := running.counted(CALLS)) != effort.bursts * effort.calls:
        raise BenchError(f"bpftrace counted {counted} of {effort.bursts * effort.calls} calls: {running.log[-2000:]}")
    return result


def _timed(caller: Caller, running: Tracer | None, effort: Effort) -> _Round:
    time.sleep(_SETTLE_SECONDS)
    unrelated = caller.time_ns(
        "getppid", bursts=effort.unrelated_bursts, calls=effort.unrelated_calls, pause_seconds=0.001
    )
    before = running.cpu_seconds() if running else 0.0
    traced = caller.time_ns("syslog", bursts=effort.bursts, calls=effort.calls, pause_seconds=effort.pause_seconds)
    # a tax is on every call, so the fastest burst has it too: what is beyond was somebody else's
    result = _Round(statistics.median(traced), min(traced), min(unrelated))
    if isinstance(running, Service):
        stopped = _while_stopped(caller, running, effort)
        result.stopped_ns, result.stopped_fastest_ns = statistics.median(stopped), min(stopped)
    if running:
        time.sleep(_SETTLE_SECONDS)
        result.cpu_us = (running.cpu_seconds() - before) / (effort.bursts * effort.calls) * 1e6
        result.rss_mib = running.rss_kib() / 1024
        result.lost = tracers.lost(running)
    return result


def _while_stopped(caller: Caller, agent: Service, effort: Effort) -> list[float]:
    """The traced call in the same bursts while the agent is neither woken nor reads."""
    timed: list[float] = []
    for _ in range(effort.bursts):
        with agent.stopped():
            timed += caller.time_ns("syslog", bursts=1, calls=effort.calls, pause_seconds=0.0)
        time.sleep(effort.pause_seconds)
    return timed


def _cost(rounds: list[_Round], base: list[_Round]) -> Cost:
    def ratio(of: str, to: str) -> Spread:
        return Spread.of([getattr(one, of) / getattr(none, to) for one, none in zip(rounds, base, strict=True)])

    stopped = all(one.stopped_ns for one in rounds)
    return Cost(
        traced_ns=tuple(one.traced_ns for one in rounds),
        traced_ratio=ratio("traced_ns", "traced_ns"),
        fastest_ratio=ratio("fastest_ns", "fastest_ns"),
        stopped_ratio=ratio("stopped_ns", "traced_ns") if stopped else None,
        stopped_fastest_ratio=ratio("stopped_fastest_ns", "fastest_ns") if stopped else None,
        unrelated_ns=tuple(one.unrelated_ns for one in rounds),
        unrelated_ratio=ratio("unrelated_ns", "unrelated_ns"),
        tracer_cpu_us=Spread.of([one.cpu_us for one in rounds]),
        tracer_rss_mib=Spread.of([one.rss_mib for one in rounds]),
        lost=sum(one.lost for one in rounds),
    )
