"""How long an agent takes from exec until it is ready, beside a bare Python, and from its first clear to the store."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from kmsg_bench import machine
from kmsg_bench.figures import Spread
from kmsg_bench.latency import Latency, one_clear, stored_clears
from kmsg_bench.programs import Clearer
from kmsg_bench.service import agent
from kmsg_bench.store import Store

_QUIET_SECONDS = 3.0
_LINE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Start:
    ready_seconds: Spread
    bare_seconds: Spread
    first_stored: Latency  # of the only clear in an agent's life, some seconds after its start


def measure(directory: Path, store: Store, clearer: Clearer, *, starts: int, push_to: int, dev: Path) -> Start:
    """Of `starts` starts, each followed by a bare interpreter's. The agent pushes to the collector of `store`."""
    ready, bare, polls = [], [], list[float]()
    seconds = []
    for _ in range(starts):
        with agent(directory, push_to=push_to) as started:
            ready.append(started.ready_seconds)
            time.sleep(_QUIET_SECONDS)
            machine.write_line(dev)
            time.sleep(_LINE_SECONDS)
            seconds.append(one_clear(lambda: stored_clears(store), clearer, polls, polled=True))
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        bare.append(time.perf_counter() - begun)
    return Start(Spread.of(ready), Spread.of(bare), Latency.of(seconds, polls))
