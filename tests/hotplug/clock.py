"""The wall clock of this machine, set as an administrator does."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

AHEAD, BACK = "+ 31536000 seconds", "- 31536000 seconds"  # a year


def step(by: str) -> None:
    subprocess.run(["date", "-s", f"now {by}"], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def put_right_afterwards() -> Iterator[None]:
    offset_ns = time.time_ns() - time.monotonic_ns()
    try:
        yield
    finally:
        time.clock_settime_ns(time.CLOCK_REALTIME, time.monotonic_ns() + offset_ns)
