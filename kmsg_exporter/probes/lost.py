"""Clears whose records found no room: what the kernel counted of them beside its records says how many, and by whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from kmsg_exporter.model import CLEARS
from kmsg_exporter.probes.decoders import action_name
from kmsg_exporter.probes.pairing import Step
from kmsg_exporter.tracefs.hist_pair import HistPair, Key, Sums

_MANY: Final = 200

Caller = tuple[str, int]
"""(which call, tid)."""


@dataclass(slots=True)
class _Kept:
    """Calls of one caller: how many the kernel counted, how many records told of, how many were told of as lost."""

    counted: int = 0
    recorded: int = 0
    settled: int = 0

    @property
    def lost(self) -> int:
        return self.counted - self.recorded - self.settled


@dataclass(frozen=True, slots=True)
class LostClears:
    """Clears of one thread that took effect and left no record; `tid` is None where nobody can say whose."""

    tid: int | None
    action: str
    calls: int


class Reconciler:
    """Compares two countings of one thing: `attempts` at clears and `failures` of any call, by the name of the call.

    `ask` before the records are read and `settle` after that: what has been counted by then was recorded, or lost.
    Both raise DecodeError, FeatureUnavailable. Records from before `begun_ns` are an earlier life's, and not counted.
    """

    def __init__(self, attempts: Mapping[str, HistPair], failures: Mapping[str, HistPair], *, begun_ns: int) -> None:
        self._attempts = attempts
        self._failures = failures
        self._begun_ns = begun_ns
        self._clears: dict[tuple[Caller, str], _Kept] = {}
        self._failed: dict[Caller, _Kept] = {}
        self._found: list[LostClears] = []
        self._unplaced = _Kept()

    def note(self, steps: Iterable[Step]) -> None:
        """Take notice of what was recorded."""
        self._recorded(steps, 1)

    def forget(self, steps: Iterable[Step]) -> None:
        """These were noted, and told of no call: the other half of each was lost."""
        self._recorded(steps, -1)

    def _recorded(self, steps: Iterable[Step], count: int) -> None:
        for step in steps:
            if step.time_ns < self._begun_ns:
                continue
            if step.phase == "enter" and step.action in CLEARS and (step.action == "clear" or (step.length or 0) > 0):
                self._clears.setdefault(((step.call, step.tid), step.action), _Kept()).recorded += count
            elif step.phase == "exit" and step.interface == "syslog" and (step.result or 0) < 0:
                self._failed.setdefault((step.call, step.tid), _Kept()).recorded += count

    def is_long(self) -> bool:
        """Whether there is much to remember: comparing lets go of what is even."""
        return len(self._clears) + len(self._failed) > _MANY

    def ask(self) -> None:
        """Take over what the kernel has counted of clears."""
        for call, pair in self._attempts.items():
            self._attempted(call, pair.read())

    def settle(self) -> list[LostClears]:
        """The clears that were lost since the last time, as far as it is sure that they took effect.

        A caller of whom no call failed unseen had success each time. While the kernel goes on counting it is at least
        so many; the rest follows.
        """
        for call, pair in self._failures.items():
            self._failures_of(call, pair.read())
        for (caller, action), clears in self._clears.items():
            failed = self._failed.get(caller)
            if clears.lost > 0 and (failed is None or failed.lost <= 0):
                self._found.append(LostClears(caller[1], action, clears.lost))
                clears.settled += clears.lost
        if any(pair.dropped for pair in self._attempts.values()):
            self._settle_unplaced()
        self._clears = {key: kept for key, kept in self._clears.items() if kept.lost}
        self._failed = {key: kept for key, kept in self._failed.items() if kept.lost}
        found, self._found = self._found, []
        return found

    def none_failed(self, tid: int) -> bool:
        """Whether each failure of this thread, as far as the kernel has counted, was recorded."""
        for call, pair in self._failures.items():
            self._failures_of(call, pair.read())
        return all(kept.lost <= 0 for (_, failed), kept in self._failed.items() if failed == tid)

    def _settle_unplaced(self) -> None:
        """Those that a full map had no room for: all that nothing else was counted or recorded meanwhile."""
        counting = False
        for call, pair in self._attempts.items():
            added = pair.read()
            self._attempted(call, added)
            counting = counting or bool(added)
        if not counting and not any(kept.lost > 0 for kept in self._failed.values()):
            for kept in self._clears.values():
                if kept.lost < 0:  # recorded, and in no map
                    self._unplaced.recorded -= kept.lost
                    kept.settled += kept.lost
            self._unplaced.counted = sum(pair.dropped for pair in self._attempts.values())
            if (lost := self._unplaced.lost) > 0:
                self._unplaced.settled += lost
                self._found.append(LostClears(None, "unknown", lost))

    def _attempted(self, call: str, added: Mapping[Key, Sums]) -> None:
        for (tid, action), sums in added.items():
            self._clears.setdefault(((call, int(tid)), action_name(int(action))), _Kept()).counted += sums[0]

    def _failures_of(self, call: str, added: Mapping[Key, Sums]) -> None:
        for (tid,), sums in added.items():
            self._failed.setdefault((call, int(tid)), _Kept()).counted += sums[0]
