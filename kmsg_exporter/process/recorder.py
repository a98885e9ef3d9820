"""The flight recorder: exec, fork, rename, cgroup moves and printed lines, read only when somebody has to be named.

It costs no wake-up. Pages are kept as the kernel gave them and decoded only when they hold the pid asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from kmsg_exporter.errors import DecodeError, FeatureUnavailable, TracefsRejected
from kmsg_exporter.process.procfs import text
from kmsg_exporter.tracefs.format import EventFormat, Field
from kmsg_exporter.tracefs.instance import Instance

EXEC: Final = "sched/sched_process_exec"
FORK: Final = "task/task_newtask"  # unlike sched_process_fork it has the clone flags: a thread is told from a process
RENAME: Final = "task/task_rename"
CGROUP: Final = "cgroup/cgroup_attach_task"
CONSOLE: Final = "printk/console"
EVENTS: Final = (EXEC, FORK, RENAME, CGROUP, CONSOLE)
# the kprobe backend's: one record for each record that is printed, also on kernels whose CONSOLE sees but some
PRINTED: Final = ("kmsg_exporter/ke_printed", "kmsg_exporter/ke_printed_open")

_CLONE_PARENT = 0x8000
_CLONE_THREAD = 0x10000
_PROCESS_EVENTS = frozenset({EXEC, FORK, RENAME, CGROUP})


@dataclass(frozen=True, slots=True)
class Fork:
    """`parent_tid` called clone; `thread` made a thread of it, `sibling` a child of its own parent."""

    time_ns: int
    parent_tid: int
    comm: str
    thread: bool
    sibling: bool


@dataclass(frozen=True, slots=True)
class Exec:
    """`filename` is the path as it was given to execve."""

    time_ns: int
    filename: str


@dataclass(frozen=True, slots=True)
class Life:
    """What was recorded of one thread up to some moment, oldest first within `execs`.

    `execs_later` says that it ran execve after that moment: what /proc shows now is not what acted. `reused` says that
    the id was given to somebody else since, `renamed` that it took another name without an execve being recorded.
    """

    fork: Fork | None = None
    execs: tuple[Exec, ...] = ()
    comm: str | None = None
    cgroup: str | None = None
    execs_later: bool = False
    reused: bool = False
    renamed: bool = False


@dataclass(slots=True)
class _Page:
    cpu: int
    time_ns: int
    raw: bytes
    tids: frozenset[int] | None = None  # whom its process events are about; None until somebody asks


class FlightRecorder:
    """Reads the recorder's instance. `history_bytes` bounds what is kept of pages that were read."""

    def __init__(self, instance: Instance, *, history_bytes: int = 2 << 20) -> None:
        self._instance = instance
        self._history_bytes = history_bytes
        self._held_bytes = 0
        self._pages: deque[_Page] = deque()
        self._unread: deque[_Page] = deque()  # the newest of them
        self._about: dict[int, tuple[_Page, ...]] = {}  # the others, by whom they are about
        self._complete_since: dict[int, int] = {}
        self._broken: set[int] = set()
        self._formats: dict[int, tuple[str, EventFormat]] = {}
        self._whom: dict[str, Field] = {}
        self._lives: dict[tuple[int, int], Life] = {}
        self.refused: dict[str, str] = {}

    def start(self) -> None:
        """Enable every event that this kernel has; why one is not there stands in `refused`."""
        for event in EVENTS:
            try:
                self._instance.enable(event)
                layout = self._instance.format(event)
                if event in _PROCESS_EVENTS:
                    # some kernels from 6.14 on (e3f6a42272e0) do not say who is renamed: whoever does it, as a rule
                    self._whom[event] = layout.fields.get("pid") or layout["common_pid" if event == RENAME else "pid"]
            except (FeatureUnavailable, TracefsRejected, DecodeError) as exc:
                self.refused[event] = str(exc)
            else:
                self._formats[layout.id] = (event, layout)
        for event in PRINTED:
            if self._instance.is_enabled(event):
                layout = self._instance.format(event)
                self._formats[layout.id] = (event, layout)

    def refresh(self) -> None:
        """Take over what was recorded since the last call; nothing is decoded yet."""
        self._lives.clear()
        for cpu, raw in self._instance.raw_pages():
            try:
                time_ns, lost, data_end = self._instance.header(raw)
            except DecodeError:
                self._broken.add(cpu)
                continue
            if lost != 0 or cpu in self._broken:
                self._complete_since[cpu] = time_ns
                self._broken.discard(cpu)
            self._keep(_Page(cpu, time_ns, raw[:data_end]))

    def life(self, tid: int, time_ns: int) -> Life:
        """What was recorded of the thread that had this id at `time_ns` (CLOCK_BOOTTIME).

        Records from before a gap on any CPU are left out: a later one about the same id may be among the lost. A record
        about the thread that is not what it should be leaves nothing known.
        """
        life = self._lives.get((tid, time_ns))
        if life is None:
            try:
                life = self._read_life(tid, time_ns)
            except DecodeError:
                life = Life()
            self._lives[tid, time_ns] = life
        return life

    def changes(self, tid: int, after_ns: int, until_ns: int) -> list[int]:
        """When, in (after_ns, until_ns] of CLOCK_BOOTTIME, a thread was born, ran execve or took another name."""
        try:
            found = [one for one in self._records_of(tid) if one[1] != CGROUP]
        except DecodeError:
            return []
        # execve renames first: that is no change of its own
        own = [one for one, after in zip_longest(found, found[1:]) if not _is_of_exec(one[1], after)]
        return [when for when, *_ in own if after_ns < when <= until_ns]

    def console(self, after_ns: int, until_ns: int) -> list[str]:
        """The text of records printed in (after_ns, until_ns] of CLOCK_BOOTTIME, oldest first, without their level."""
        found = self._records_by({CONSOLE}, after_ns)
        lines = []
        for when, _, layout, record in found:
            if after_ns < when <= until_ns:
                with suppress(DecodeError):
                    lines.append(text(layout["msg"].text(record)))
        return lines

    def printed(self, after_ns: int, until_ns: int) -> bool:
        """Whether a record was printed in (after_ns, until_ns] of CLOCK_BOOTTIME, as far as this kernel tells."""
        events = {event for event, _ in self._formats.values()} & set(PRINTED) or {CONSOLE}
        return any(after_ns < when <= until_ns for when, *_ in self._records_by(events, after_ns))

    def _read_life(self, tid: int, time_ns: int) -> Life:
        fork: Fork | None = None
        execs: list[Exec] = []
        comm: str | None = None
        cgroup: str | None = None
        later = reused = renamed = False
        for when, event, layout, record in self._records_of(tid):
            if when > time_ns:
                if event == FORK:
                    reused = True
                    break
                later = later or event == EXEC
                continue
            if event == FORK:
                flags = layout["clone_flags"].integer(record)
                comm = text(layout["comm"].text(record))
                fork = Fork(
                    when,
                    layout["common_pid"].integer(record),
                    comm,
                    bool(flags & _CLONE_THREAD),
                    bool(flags & _CLONE_PARENT),
                )
                execs, cgroup, renamed = [], None, False
            elif event == EXEC:
                execs.append(Exec(when, text(layout["filename"].text(record))))
                renamed = False
            elif event == RENAME:
                comm = text(layout["newcomm"].text(record))
                renamed = not execs
            elif event == CGROUP:
                cgroup = text(layout["dst_path"].text(record))
        return Life(fork, tuple(execs), comm, cgroup, later, reused, renamed)

    def _records_of(self, tid: int) -> list[tuple[int, str, EventFormat, bytes]]:
        """The process events about one thread, by time."""
        horizon = max(self._complete_since.values(), default=0)
        return [
            found
            for found in self._records_on(self._pages_about(tid), _PROCESS_EVENTS)
            if found[0] >= horizon and self._whom[found[1]].integer(found[3]) == tid
        ]

    def _records_by(self, events: Collection[str], after_ns: int) -> list[tuple[int, str, EventFormat, bytes]]:
        """All records of some events made after a moment, and a few from before it, by time."""
        return self._records_on(self._pages_since(after_ns), events)

    def _pages_about(self, tid: int) -> Sequence[_Page]:
        """Pages that hold a process event about a thread."""
        while self._unread:
            held = self._unread.popleft()
            held.tids = frozenset(
                int.from_bytes(record[self._whom[event].offset :][:4], "little")
                for _, event, _, record in self._records_on((held,), _PROCESS_EVENTS)
            )
            for one in held.tids:
                self._about[one] = (*self._about.get(one, ()), held)
        return self._about.get(tid, ())

    def _pages_since(self, after_ns: int) -> Iterator[_Page]:
        """Pages that may hold records made after a moment: of each CPU those that began later, and the one before."""
        over: set[int] = set()
        for held in reversed(self._pages):
            if held.cpu not in over:
                yield held
                if held.time_ns <= after_ns:
                    over.add(held.cpu)

    def _records_on(self, pages: Iterable[_Page], events: Collection[str]) -> list[tuple[int, str, EventFormat, bytes]]:
        """(time, event, layout, record) of the events' records on some pages, by time."""
        found = []
        for held in pages:
            try:
                records = self._instance.decode(held.raw).records
            except DecodeError:
                self._complete_since[held.cpu] = max(self._complete_since.get(held.cpu, 0), held.time_ns + 1)
                continue
            for time_ns, record in records:
                known = self._formats.get(int.from_bytes(record[:2], "little"))
                if known is not None and known[0] in events:
                    found.append((time_ns, *known, record))
        return sorted(found, key=lambda one: one[0])

    def _keep(self, page: _Page) -> None:
        self._pages.append(page)
        self._unread.append(page)
        self._held_bytes += len(page.raw)
        while self._held_bytes > self._history_bytes:
            oldest = self._pages.popleft()
            self._forget(oldest)
            self._held_bytes -= len(oldest.raw)
            newer = next((page.time_ns for page in self._pages if page.cpu == oldest.cpu), None)
            since = self._end_ns(oldest) + 1 if newer is None else newer
            self._complete_since[oldest.cpu] = max(self._complete_since.get(oldest.cpu, 0), since)

    def _forget(self, oldest: _Page) -> None:
        """The oldest page goes."""
        if oldest.tids is None:
            self._unread.popleft()
            return
        for tid in oldest.tids:
            newer = self._about[tid][1:]
            if newer:
                self._about[tid] = newer
            else:
                del self._about[tid]

    def _end_ns(self, page: _Page) -> int:
        """When the last record of a page was made."""
        with suppress(DecodeError):
            return max((time_ns for time_ns, _ in self._instance.decode(page.raw).records), default=page.time_ns)
        return page.time_ns


def _is_of_exec(event: str, after: tuple[int, str, EventFormat, bytes] | None) -> bool:
    return event == RENAME and after is not None and after[1] == EXEC
