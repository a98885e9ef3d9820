"""When a record was printed, by the wall clock: between which moments, where the machine slept since the boot."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from kmsg_exporter.why import moment

_SET_SECONDS: Final = 120.0  # a wall clock that was set a little
_DRIFT: Final = 1e-4  # the kernel's stamps come from a clock that nobody disciplines


@dataclass(frozen=True, slots=True)
class Clocks:
    """The wall clock, CLOCK_MONOTONIC and CLOCK_BOOTTIME at one moment, in seconds.

    A record's stamp stands still while the machine sleeps. How long it slept is known, and not when: before the
    record was printed, or after.
    """

    unix: float
    monotonic: float
    boottime: float

    def first(self, usec: int | None) -> float:
        """If it slept only after the record: no earlier can it have been printed."""
        return self.unix - self.boottime + (usec or 0) / 1e6

    def last(self, usec: int | None) -> float:
        """If it slept only before the record; so does dmesg reckon."""
        return self.unix - self.monotonic + (usec or 0) / 1e6

    def earliest(self, usec: int | None) -> float:
        """What another's clock may have said at the earliest."""
        return self.first(usec) - _SET_SECONDS - _DRIFT * self.monotonic

    def told(self, usec: int | None) -> str:
        """In local time; both moments where they differ."""
        last = moment.local(self.last(usec))
        if self.boottime - self.monotonic < 1:
            return last
        return f"between {moment.local(self.first(usec))} and {last}"


def now() -> Clocks:
    return Clocks(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))
