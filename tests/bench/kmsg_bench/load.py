"""What a daemon costs while somebody clears the log without a pause, and while the log is read in a storm."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kmsg_bench import tracers
from kmsg_bench.audit import Auditd
from kmsg_bench.bpftrace import Bpftrace
from kmsg_bench.child import BenchError
from kmsg_bench.profile import summary
from kmsg_bench.programs import LOAD
from kmsg_bench.service import Service
from kmsg_bench.tracers import Site, Tracer

CLEARS: Final = "clear loop"
READS: Final = "read storm"
_RATE = 100_000
_SCRAPE_SECONDS = 1.0  # as often as bpftrace prints
_REST_SECONDS, _REST_SHARE = 1.0, 0.2  # it has come to rest: what was in the buffers is read, printed and counted
_CATCH_UP_SECONDS = 30.0
_STOP_SECONDS = 30.0
_METRIC: Final = {CLEARS: "kmsg_clears_total", READS: "kmsg_reads_total"}


@dataclass(frozen=True, slots=True)
class Load:
    """One daemon under one load: the CPU it took, the most memory it had, and how many of the calls it counted.

    `counted` is None where nothing tells: audit writes records and counts nothing.
    """

    seconds: float
    calls: int
    call_ns: float
    cpu_seconds: float
    peak_mib: float
    counted: int | None
    lost: int


def measure(kind: str, name: str, site: Site, programs: Path, seconds: float) -> Load:
    """One tracer under one load."""
    running = tracers.make(name, site)
    if running is None:
        raise BenchError("a load is put on a tracer")
    with running:
        cpu = running.cpu_seconds()
        calls, call_ns = _put(kind, running, programs, seconds)
        cpu = running.cpu_seconds() - cpu
        peak_mib = running.peak_kib() / 1024
        counted = int(running.metric(_METRIC[kind], comm=LOAD)) if isinstance(running, Service) else None
        lost = tracers.lost(running)
    if isinstance(running, Bpftrace):
        counted = running.counted(LOAD)
    return Load(seconds, calls, call_ns, cpu, peak_mib, counted, lost)


def profile(kind: str, name: str, site: Site, programs: Path, seconds: float) -> str:
    """Where our agent's own time goes under a load, in one line."""
    stats = site.directory / "profile"
    running = tracers.make(name, replace(site, profile=stats))
    if running is None:
        raise BenchError("a load is put on a tracer")
    with running:
        _put(kind, running, programs, seconds)
    return summary(stats) if stats.exists() else "it did not come to its end and was killed"


def _put(kind: str, running: Tracer, programs: Path, seconds: float) -> tuple[int, float]:
    """How many calls the load made and nanoseconds a call. What is left in the buffers has been read by then."""
    arguments = ["clear", str(seconds)] if kind == CLEARS else ["read", str(seconds), str(_RATE)]
    with ExitStack() as stack:
        with running.births() if isinstance(running, Auditd) else nullcontext():
            loading = subprocess.Popen([programs / LOAD, *arguments], stdout=subprocess.PIPE, text=True)
        stack.callback(loading.wait)
        stack.callback(loading.kill)
        deadline = time.monotonic() + seconds + _STOP_SECONDS
        while loading.poll() is None:
            if time.monotonic() > deadline:
                raise BenchError(f"{LOAD} {kind} does not end")
            if isinstance(running, Service):
                running.metric("kmsg_clears_total")
            time.sleep(_SCRAPE_SECONDS)
        said, _ = loading.communicate()
    if loading.returncode != 0:
        raise BenchError(f"{LOAD} {arguments[0]} ended with {loading.returncode}: run as root")
    _let_catch_up(running)
    calls, call_ns = said.split()
    return int(calls), float(call_ns)


def _let_catch_up(running: Tracer) -> None:
    """Until it has little left to do. What it still does in here was caused by the load, too."""
    deadline = time.monotonic() + _CATCH_UP_SECONDS
    share = 1.0
    while share > _REST_SHARE and time.monotonic() < deadline:
        before = running.cpu_seconds()
        time.sleep(_REST_SECONDS)
        share = (running.cpu_seconds() - before) / _REST_SECONDS
