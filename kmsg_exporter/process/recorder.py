"""The flight recorder: exec, fork, rename, cgroup moves and printed lines, read only when somebody has to be named.

It costs no wake-up. Pages are kept as the kernel gave them and decoded only when they hold the pid asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kmsg_exporter.errors import DecodeError, FeatureUnavailable, TracefsRejected
from kmsg_exporter.process.procfs import text
from kmsg_exporter.tracefs.format import EventFormat
from kmsg_exporter.tracefs.instance import Instance

EXEC: Final = "sched/sched_process_exec"
FORK: Final = "task/task_newtask"  # unlike sched_process_fork it has the clone flags: a thread is told from a process
RENAME: Final = "task/task_rename"
CGROUP: Final = "cgroup/cgroup_attach_task"
CONSOLE: Final = "printk/console"
EVENTS: Final = (EXEC, FORK, RENAME, CGROUP, CONSOLE)

_CLONE_PARENT = 0x8000
_CLONE_THREAD = 0x10000
_CONSOLE_LINES = 400


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

    `execs_later` says that it ran execve after that moment: what /proc shows now is not what acted.
    """

    fork: Fork | None = None
    execs: tuple[Exec, ...] = ()
    comm: str | None = None
    cgroup: str | None = None
    execs_later: bool = False


@dataclass(frozen=True, slots=True)
class _Page:
    cpu: int
    time_ns: int
    raw: bytes


class FlightRecorder:
    """Reads the recorder's instance. `history_bytes` bounds what is kept of pages that were read."""

    def __init__(self, instance: Instance, *, history_bytes: int = 2 << 20) -> None:
        self._instance = instance
        self._history_bytes = history_bytes
        self._held_bytes = 0
        self._pages: deque[_Page] = deque()
        self._complete_since: dict[int, int] = {}
        self._broken: set[int] = set()
        self._formats: dict[int, tuple[str, EventFormat]] = {}
        self._console: deque[tuple[int, str]] = deque(maxlen=_CONSOLE_LINES)
        self.refused: dict[str, str] = {}

    def start(self) -> None:
        """Enable every event that this kernel has; why one is not there stands in `refused`."""
        for event in EVENTS:
            try:
                self._instance.enable(event)
                layout = self._instance.format(event)
            except (FeatureUnavailable, TracefsRejected, DecodeError) as exc:
                self.refused[event] = str(exc)
            else:
                self._formats[layout.id] = (event, layout)

    @property
    def records_console(self) -> bool:
        """Whether the text of printed records is recorded too."""
        return CONSOLE not in self.refused

    def refresh(self) -> None:
        """Take over what was recorded since the last call."""
        for cpu, raw in self._instance.raw_pages():
            try:
                page = self._instance.decode(raw)
            except DecodeError:
                self._broken.add(cpu)
                continue
            if page.lost != 0 or cpu in self._broken:
                self._complete_since[cpu] = page.time_ns
                self._broken.discard(cpu)
            for time_ns, record in page.records:
                if self._formats.get(_event_id(record), ("",))[0] == CONSOLE:
                    self._keep_console(time_ns, record)
            self._keep(_Page(cpu, page.time_ns, raw[: page.data_end]))

    def life(self, tid: int, time_ns: int) -> Life:
        """What was recorded of the thread that had this id at `time_ns` (CLOCK_BOOTTIME).

        Records from before a gap on any CPU are left out: a later one about the same id may be among the lost.
        """
        fork: Fork | None = None
        execs: list[Exec] = []
        comm: str | None = None
        cgroup: str | None = None
        later = False
        for when, event, layout, record in self._records_of(tid):
            if when > time_ns:
                if event == FORK:
                    break  # the id was used again
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
                execs, cgroup = [], None
            elif event == EXEC:
                execs.append(Exec(when, text(layout["filename"].text(record))))
            elif event == RENAME:
                comm = text(layout["newcomm"].text(record))
            elif event == CGROUP:
                cgroup = text(layout["dst_path"].text(record))
        return Life(fork, tuple(execs), comm, cgroup, later)

    def console(self, after_ns: int, until_ns: int) -> list[str]:
        """The text of records printed in (after_ns, until_ns] of CLOCK_BOOTTIME, oldest first, without their level."""
        return [line for when, line in sorted(self._console) if after_ns < when <= until_ns]

    def _records_of(self, tid: int) -> Iterator[tuple[int, str, EventFormat, bytes]]:
        wanted = tid.to_bytes(4, "little")
        horizon = max(self._complete_since.values(), default=0)
        found = []
        for held in self._pages:
            if wanted not in held.raw:
                continue
            for time_ns, record in self._instance.decode(held.raw).records:
                known = self._formats.get(_event_id(record))
                if known is None or time_ns < horizon or known[0] == CONSOLE:
                    continue
                if known[1]["pid"].integer(record) == tid:
                    found.append((time_ns, *known, record))
        found.sort(key=lambda one: one[0])
        yield from found

    def _keep(self, page: _Page) -> None:
        self._pages.append(page)
        self._held_bytes += len(page.raw)
        while self._held_bytes > self._history_bytes:
            oldest = self._pages.popleft()
            self._held_bytes -= len(oldest.raw)
            next_time = next((page.time_ns for page in self._pages if page.cpu == oldest.cpu), page.time_ns)
            self._complete_since[oldest.cpu] = max(self._complete_since.get(oldest.cpu, 0), next_time)

    def _keep_console(self, time_ns: int, record: bytes) -> None:
        layout = self._formats[_event_id(record)][1]
        self._console.append((time_ns, text(layout["msg"].text(record))))


def _event_id(record: bytes) -> int:
    return int.from_bytes(record[:2], "little")
