"""What every backend can do, and the part that those which read trace records share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from kmsg_exporter.clock import boot_ns
from kmsg_exporter.errors import DecodeError, FeatureUnavailable, TracefsRejected
from kmsg_exporter.model import Access, Counted, Interface, Operation, ProbeState
from kmsg_exporter.probes.decoders import Decoder
from kmsg_exporter.probes.pairing import Pairing, Step
from kmsg_exporter.tracefs.instance import Instance
from kmsg_exporter.tracefs.page import Page

GROUP = "kmsg_exporter"
URGENT = "kmsg_exporter"
BULK = "kmsg_exporter_bulk"
RECORDER = "kmsg_exporter_recorder"
INSTANCES = (URGENT, BULK, RECORDER)
# functions of the two files whose calls are only counted, and what calling one is
BULK_FILES: Final[dict[str, tuple[Interface, Operation]]] = {
    "devkmsg_read": ("dev_kmsg", "read"),
    "devkmsg_write": ("dev_kmsg", "write"),
    "kmsg_read": ("proc_kmsg", "read"),
}
_MAX_READINGS = 16
_MOST_PAGES = 8
_BULK_PAGES = 128  # more than the buffer holds, for nobody is woken to read it again


class Backend(Protocol):
    """One way to see who uses the log."""

    name: str

    def fds(self) -> list[int]:
        """Descriptors that become readable when something happened that is worth waking up for."""

    def drain(self, *, bulk: bool) -> list[Access]:
        """The calls recorded since the last time, by time; with `bulk` also those that are only counted."""

    def counted(self) -> list[Counted]:
        """What the kernel counted by itself since the last time, and clears whose records were lost, where it can."""

    def clear_pending(self) -> bool:
        """Whether a clear has begun and not yet returned, or may be among what was not read yet."""

    def behind(self) -> bool:
        """Whether something was recorded that the last drain has left for the next one, which is to come at once."""

    def probes(self) -> tuple[ProbeState, ...]:
        """Each thing that is traced, and whether it is attached now."""

    def failures(self) -> dict[str, str]:
        """Why a probe is not there, by its name."""

    def lost_events(self) -> int:
        """Trace records that the kernel dropped, and pages that could not be read."""

    def intact(self) -> bool:
        """Whether everything that was attached still is."""

    def close(self, *, keep: bool = False) -> None:
        """Take away everything that was made, unless it is to `keep` recording."""


class RecordReader:
    """Reads instances' pages into calls. `decoders` maps a record's type to what makes a step of it.

    `note` is shown every step of what wakes us, and `forget` those of them that in the end told of no call; `drained`
    counts them. Of what was recorded until `complete_ns`
    (CLOCK_BOOTTIME) nothing is missing.

    A drain reads at most `most_pages` of each CPU: in a storm the next drain comes at once, and without a bound on one
    there would be none on what is held.
    """

    def __init__(
        self,
        urgent: Instance,
        bulk: Instance,
        *,
        proc: Path = Path("/proc"),
        boot_ns: Callable[[], int] = boot_ns,
        most_pages: int = _MOST_PAGES,
    ) -> None:
        self._urgent = urgent
        self._bulk = bulk
        self._proc = proc
        self._boot_ns = boot_ns
        self._most_pages = most_pages
        self.decoders: dict[int, Decoder] = {}
        self.seen: dict[int, int] = {}
        self.note: Callable[[Sequence[Step]], None] = lambda _: None
        self.forget: Callable[[Sequence[Step]], None] = lambda _: None
        self.drained = 0
        self.complete_ns = 0
        self._pairing = Pairing()
        self._newer: list[Step] = []
        self._behind = False
        self._undecodable = 0
        self._dropped = 0

    def fds(self) -> list[int]:
        return self._urgent.fds()

    def drain(self, *, bulk: bool) -> list[Access]:
        """See Backend.drain."""
        steps = self._newer
        for _ in range(_MAX_READINGS):
            begun_ns = self._boot_ns()
            more, complete_ns = self._steps(self._urgent, begun_ns, self._most_pages)
            steps += more
            # what is newer may follow on something that lies on a CPU that was read before: read all of them again
            if complete_ns < begun_ns or all(step.time_ns <= complete_ns for step in steps):
                break
        self.complete_ns = complete_ns
        self._newer = [step for step in steps if step.time_ns > complete_ns]
        self._behind = complete_ns < begun_ns or bool(self._newer)
        steps = [step for step in steps if step.time_ns <= complete_ns]
        self.note(steps)
        self.drained += len(steps)
        done = self._pairing.feed(sorted(steps, key=_by_time))
        alone, self._pairing.alone = self._pairing.alone, []
        if alone:
            self.forget(alone)
        if bulk:
            done += self._pairing.feed(sorted(self._steps(self._bulk, self._boot_ns(), _BULK_PAGES)[0], key=_by_time))
        done += self._pairing.overdue_clears(complete_ns)
        return sorted(done, key=lambda access: access.time_ns)

    def settled(self, call: Access) -> None:
        """A clear that was told without a result is known to have had success."""
        self._pairing.settled(call)

    def behind(self) -> bool:
        return self._behind

    def clear_pending(self) -> bool:
        return self._behind or self._pairing.clear_pending()

    def lost_events(self) -> int:
        """Trace records that the kernel dropped, pages and records that could not be read, and halves of such calls."""
        with suppress(FeatureUnavailable, TracefsRejected):  # torn away: what was known stays true
            self._dropped = self._urgent.stats().lost + self._bulk.stats().lost
        self._pairing.count_ended(
            lambda tid: (self._proc / str(tid)).exists(), boot_ns=self._boot_ns, complete_ns=self.complete_ns
        )
        # without a loss, a half is a call that had begun before it was traced
        return self._dropped + self._undecodable + (self._pairing.halves if self._dropped else 0)

    def dropped_urgent(self) -> int:
        """How many records of what wakes us found no room. Raises FeatureUnavailable, TracefsRejected."""
        return self._urgent.stats().lost

    def _steps(self, instance: Instance, begun_ns: int, most_pages: int) -> tuple[list[Step], int]:
        """What one reading that began now found, and up to when nothing is missing in it."""
        steps: list[Step] = []
        pages: Counter[int] = Counter()
        complete_ns = begun_ns
        for cpu, raw in instance.raw_pages(most_pages):
            pages[cpu] += 1
            try:
                page = instance.decode(raw)
            except DecodeError:
                self._undecodable += 1
                continue
            steps.extend(self._decoded(page))
            if pages[cpu] == most_pages:
                complete_ns = min(complete_ns, page.records[-1][0] if page.records else page.time_ns)
        return steps, complete_ns

    def _decoded(self, page: Page) -> Iterable[Step]:
        for time_ns, record in page.records:
            number = int.from_bytes(record[:2], "little")
            decoder = self.decoders.get(number)
            if decoder is None:
                continue
            self.seen[number] = self.seen.get(number, 0) + 1
            try:
                step = decoder(time_ns, record)
            except DecodeError:
                self._undecodable += 1
                continue
            if step is not None:
                yield step


def _by_time(step: Step) -> int:
    return step.time_ns
