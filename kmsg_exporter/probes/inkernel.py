"""What the kernel counts for us and wakes nobody: reads and writes of the files, and clears beside their records."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from kmsg_exporter.clock import boot_ns
from kmsg_exporter.errors import DecodeError, FeatureUnavailable, TracefsRejected
from kmsg_exporter.model import Access, Counted
from kmsg_exporter.probes.backend import BULK_FILES, RecordReader
from kmsg_exporter.probes.lost import Reconciler
from kmsg_exporter.probes.pairing import Step
from kmsg_exporter.tracefs.hist_pair import HistPair, is_over

_log = logging.getLogger(__name__)

_UNREADABLE = (DecodeError, FeatureUnavailable, TracefsRejected)
_COMPARE_SECONDS: Final = 5.0
_EMPTY_SECONDS: Final = 2.0
_STORM_RECORDS: Final = 256


class InKernel:
    """Histograms of the probes that `add` names; `files` are those of reads and writes, by probe.

    `ticks` asks the kernel for its tick count. `dropped` counts reads and writes that a full map had no room for, and
    one for each map that may have counted again when it was emptied.
    """

    def __init__(
        self,
        reader: RecordReader,
        ticks: Callable[[], int | None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        boot_ns: Callable[[], int] = boot_ns,
    ) -> None:
        self._reader = reader
        self._ticks = ticks
        self._monotonic = monotonic
        self._boot_ns = boot_ns
        self.files: dict[str, HistPair] = {}
        self._attempts: dict[str, HistPair] = {}
        self._failures: dict[str, HistPair] = {}
        self._since_ns = boot_ns()
        self._reconciler = Reconciler(self._attempts, self._failures, begun_ns=self._since_ns)
        self._untold: list[Counted] = []
        self._dropped_before = 0
        self._compared_ns = self._since_ns
        self._next_compare = 0.0
        self._next_empty = 0.0
        self._unsure = False
        self._emptied_late = 0

    def add(self, name: str, pair: HistPair, *, bulk: bool) -> None:
        """Read a pair of histograms from now on: `syslog_enter` counts clears, `syslog_exit` what failed."""
        call, _, phase = name.rpartition("_")
        if bulk:
            self.files[name] = pair
        elif phase == "enter":
            self._attempts[call] = pair
            self._reader.note = self._reconciler.note
            self._reader.forget = self._forget
        else:
            self._failures[call] = pair

    @property
    def dropped(self) -> int:
        return sum(pair.dropped for pair in self.files.values()) + self._emptied_late

    def drain(self, *, bulk: bool) -> list[Access]:
        """What was recorded; with `bulk` what was not shows in `counted`, if records were lost or it is long ago."""
        try:
            compare = bulk and bool(self._attempts) and self._must_compare()
            if compare:
                self._reconciler.ask()  # before the records are read
        except _UNREADABLE as exc:  # torn away, or damaged: its owner notices by `intact`
            _log.debug("what the kernel counted can't be read: %s", exc)
            compare = False
        now_ns = self._boot_ns()
        calls = [self._judged(call) for call in self._reader.drain(bulk=bulk)]
        if compare:
            self._compare(now_ns)
        return calls

    def _judged(self, call: Access) -> Access:
        """A plain clear sleeps nowhere: if its return was lost and it did not fail, it had success."""
        if call.result is not None or call.action != "clear" or not self._failures:
            return call
        try:
            if not self._reader.dropped_urgent() or not self._reconciler.none_failed(call.tid):
                return call
        except _UNREADABLE as exc:
            _log.debug("what the kernel counted can't be read: %s", exc)
            return call
        self._reader.settled(call)
        return replace(call, result=0)

    def _forget(self, steps: Sequence[Step]) -> None:
        self._reconciler.forget(steps)
        self._unsure = True

    def _compare(self, asked_ns: int) -> None:
        """Find out what was counted until then and not recorded."""
        if self._reader.complete_ns < asked_ns:  # what was counted by then may be recorded and not yet read
            self._unsure = True
            return
        try:
            lost = self._reconciler.settle()
        except _UNREADABLE as exc:
            _log.debug("what the kernel counted can't be read: %s", exc)
            return
        self._untold += [
            Counted(one.tid, None, "syslog", "call", one.action, one.calls, 0, self._compared_ns, asked_ns)
            for one in lost
        ]
        self._unsure = bool(lost)
        self._compared_ns = asked_ns

    def counted(self) -> list[Counted]:
        """What was counted since the last time; less where it was torn away."""
        try:
            self._count()
            self._empty_filling()
        except _UNREADABLE as exc:
            _log.debug("what the kernel counted can't be read: %s", exc)
        told, self._untold = self._untold, []
        return told

    def _count(self) -> None:
        """Note what was counted of the files: that of one even if the next can't be read."""
        now_ns = self._boot_ns()
        for name, pair in self.files.items():
            interface, operation = BULK_FILES[name]
            self._untold += [
                Counted(int(tid), comm, interface, operation, operation, calls, nbytes, self._since_ns, now_ns)
                for (tid, comm), (calls, nbytes) in pair.read().items()
            ]
        self._since_ns = now_ns

    def _empty_filling(self) -> None:
        """Empty the maps that rest and are filling."""
        pairs = (*self.files.values(), *self._attempts.values(), *self._failures.values())
        filling = [pair for pair in pairs if pair.is_filling()]
        if not filling or (ticks := self._ticks_now()) is None:
            return
        emptied = 0
        try:
            for pair in filling:
                emptied += pair.empty_resting(ticks)
        finally:
            if emptied and self._is_over(ticks):  # this process was stopped in between, or hardly ran
                self._emptied_late += emptied

    def _is_over(self, began: int) -> bool:
        """Whether the turn of that tick count may be over."""
        try:
            ticks = self._ticks()
        except _UNREADABLE:
            return True
        return ticks is None or is_over(began, ticks)

    def _ticks_now(self) -> int | None:
        """The tick count, asked every now and then: a map may have to count for a while before it rests."""
        now = self._monotonic()
        if now < self._next_empty:
            return None
        self._next_empty = now + _EMPTY_SECONDS
        return self._ticks()

    def _must_compare(self) -> bool:
        """Whether records may have been lost since the last time, or there is too much to remember."""
        now = self._monotonic()
        stormy = self._reader.drained >= _STORM_RECORDS
        self._reader.drained = 0
        if not (stormy or self._unsure or now >= self._next_compare):
            return False
        self._next_compare = now + _COMPARE_SECONDS
        dropped = self._reader.dropped_urgent()
        more, self._dropped_before = dropped != self._dropped_before, dropped
        return more or self._unsure or self._reconciler.is_long()
