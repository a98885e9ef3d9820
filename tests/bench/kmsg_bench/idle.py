"""What an agent costs that has nothing to do, and what the first event adds."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from kmsg_bench import machine
from kmsg_bench.child import Child
from kmsg_bench.programs import Clearer
from kmsg_bench.service import Service, until
from kmsg_bench.store import Store

_WARM_UP_SECONDS = 5.0
_RSS_AFTER_SECONDS = 30.0
_SENT_SECONDS = 10.0
_AFTER_EVENT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Memory:
    rss_mib: float
    pss_mib: float

    @classmethod
    def of(cls, child: Child) -> Memory:
        return cls(child.rss_kib() / 1024, child.pss_kib() / 1024)


@dataclass(frozen=True, slots=True)
class Idle:
    """`cpu_share` of one core; `traced_calls` were made by others in the meantime."""

    seconds: float
    memory: Memory
    bare: Memory  # a Python interpreter that only waits
    cpu_share: float
    wakeups_per_second: float
    traced_calls: int
    after_event: Memory


def measure(agent: Service, store: Store, directory: Path, clearer: Clearer, *, seconds: float, dev: Path) -> Idle:
    """Of an agent that has just started and that nobody scrapes; it pushes to the collector of `store`."""
    with Child([sys.executable, "-c", "import signal; signal.pause()"], directory / "bare.log") as bare:
        time.sleep(_WARM_UP_SECONDS)
        begun, cpu, wakeups = time.monotonic(), agent.cpu_seconds(), agent.wakeups()
        time.sleep(min(seconds, _RSS_AFTER_SECONDS - _WARM_UP_SECONDS))
        memory, plain = Memory.of(agent), Memory.of(bare)
        time.sleep(max(0.0, begun + seconds - time.monotonic()))
        lasted = time.monotonic() - begun
        cpu, wakeups = agent.cpu_seconds() - cpu, agent.wakeups() - wakeups
    machine.write_line(dev)
    clear = clearer.begin()
    clear.moment()
    clear.finish()
    until(store.clears, "the first event to be stored", _SENT_SECONDS, 0.05)
    time.sleep(_AFTER_EVENT_SECONDS)
    after_event = Memory.of(agent)
    calls = int(agent.metric('kmsg_exporter_probe_hits_total{probe="syslog_enter"}')) - 1
    return Idle(lasted, memory, plain, cpu / lasted, wakeups / lasted, calls, after_event)
