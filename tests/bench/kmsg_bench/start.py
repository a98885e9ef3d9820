"""How long an agent takes from exec until it is ready, beside a Python interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from kmsg_bench.figures import Spread
from kmsg_bench.service import agent


@dataclass(frozen=True, slots=True)
class Start:
    ready_seconds: Spread
    bare_seconds: Spread


def measure(directory: Path, *, starts: int, push_to: int) -> Start:
    """Of `starts` starts, each followed by a bare interpreter's."""
    ready, bare = [], []
    for _ in range(starts):
        with agent(directory, push_to=push_to) as started:
            ready.append(started.ready_seconds)
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        bare.append(time.perf_counter() - begun)
    return Start(Spread.of(ready), Spread.of(bare))
