"""How soon a clear shows: in /metrics, and in the collector's store."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from kmsg_bench.child import BenchError
from kmsg_bench.figures import percentile
from kmsg_bench.http import KeepAlive
from kmsg_bench.machine import LINE
from kmsg_bench.programs import CLEAR, Clearer
from kmsg_bench.service import Service
from kmsg_bench.store import Store

_COUNTER = re.compile(rf'^kmsg_clears_total{{[^\n]*comm="{CLEAR}",[^\n]*}} (\d+)', re.MULTILINE)
_SEEN_SECONDS = 5.0
_APART_SECONDS = (0.03, 0.08)
_EVENTS_APART_SECONDS = (1.0, 1.05)  # what follows sooner is held, to be one event with what comes then
_HELD_SECONDS = 2.5  # until what is held of clears that came sooner is told, and a clear is told at once again
_STORE_PAUSE_SECONDS = 0.0001


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the clear itself to when it was seen."""

    clears: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    poll_ms: float  # between two looks, median: it cannot be seen any sooner

    @classmethod
    def of(cls, seconds: list[float], poll_seconds: list[float]) -> Latency:
        return cls(
            len(seconds),
            percentile(seconds, 50) * 1e3,
            percentile(seconds, 99) * 1e3,
            max(seconds) * 1e3,
            percentile(poll_seconds, 50) * 1e3,
        )


@dataclass(frozen=True, slots=True)
class Latencies:
    """`asked` is by scrapes that begin right after the clear, `polled` by an endless row of them."""

    asked: Latency
    polled: Latency
    stored: Latency
    bare_ms: float  # the clearing program's own life without the clear, median


def measure(agent: Service, store: Store, clearer: Clearer, *, clears: int, dev: Path) -> Latencies:
    """Of `clears` clears that each hide a line, and a third as many for the store of the agent's collector."""
    bare: list[float] = []
    with ExitStack() as stack:
        # kept open: each opening would be traced, and wake the agent just before the clear
        log = os.open(dev / "kmsg", os.O_WRONLY | os.O_CLOEXEC)
        stack.callback(os.close, log)
        web = stack.enter_context(KeepAlive(agent.port))

        def exposed() -> int:
            found = _COUNTER.search(web.get("/metrics")[1].decode())
            return int(found[1]) if found else 0

        def stored() -> int:
            return stored_clears(store)

        def each(seen: Callable[[], int], count: int, apart: tuple[float, float], *, polled: bool) -> Latency:
            polls: list[float] = []
            seconds = []
            for _ in range(count):
                time.sleep(random.uniform(*apart))
                bare.append(clearer.bare_seconds())
                os.write(log, LINE)
                time.sleep(random.uniform(*_APART_SECONDS))
                seconds.append(one_clear(seen, clearer, polls, polled=polled))
            return Latency.of(seconds, polls)

        asked = each(exposed, clears, _APART_SECONDS, polled=False)
        streamed = each(exposed, clears, _APART_SECONDS, polled=True)
        time.sleep(_HELD_SECONDS)
        in_store = each(stored, clears // 3, _EVENTS_APART_SECONDS, polled=True)
    return Latencies(asked, streamed, in_store, percentile(bare, 50) * 1e3)


def stored_clears(store: Store) -> int:
    """What the store holds a moment from now: looking without a pause would take a core from those that are timed."""
    time.sleep(_STORE_PAUSE_SECONDS)
    return store.clears()


def one_clear(seen: Callable[[], int], clearer: Clearer, polls: list[float], *, polled: bool) -> float:
    """Seconds from one clear to the first look that shows it; `polled`, the looking begins before the clear."""
    before = seen()
    clear = clearer.begin()
    moment = None if polled else clear.moment()
    try:
        shown = _first_look(lambda: seen() > before, polls)
        return shown - (clear.moment() if moment is None else moment)
    finally:
        clear.finish()


def _first_look(seen: Callable[[], bool], polls: list[float]) -> float:
    """When it was seen, in seconds of CLOCK_MONOTONIC. Raises BenchError."""
    asked = time.monotonic()
    deadline = asked + _SEEN_SECONDS
    while True:
        done = seen()
        now = time.monotonic()
        polls.append(now - asked)
        if done:
            return now
        if now > deadline:
            raise BenchError(f"a clear was not seen within {_SEEN_SECONDS:g} s")
        asked = now
