"""The kernel's boot clock and the wall clock, side by side."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

_APART_NS: Final = 1_000_000
_READINGS: Final = 5


def boot_ns() -> int:
    """CLOCK_BOOTTIME now: the clock of trace records."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def unix_ns(moment_boot_ns: int) -> int:
    """A moment of the boot clock as wall-clock time, by what the wall clock says now.

    Where something came in between the readings of both clocks they are read again.
    """
    for _ in range(_READINGS):
        before, wall, after = boot_ns(), time.time_ns(), boot_ns()
        if after - before < _APART_NS:
            break
    return wall - ((before + after) // 2 - moment_boot_ns)


def boot_id(proc: Path) -> str:
    """The kernel's name for this boot."""
    return (proc / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
