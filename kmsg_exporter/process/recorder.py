"""The flight recorder: exec, fork, rename, cgroup moves and printed lines, read only when somebody has to be named.

It costs no wake-up. Pages are kept as the kernel gave them and decoded only when somebody is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, Final

from kmsg_exporter.clock import boot_ns
from kmsg_exporter.errors import DecodeError, FeatureUnavailable, TracefsRejected
from kmsg_exporter.process.history import About, HeldPage, History, Record
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
_LIFE_EVENTS = frozenset({EXEC, FORK, CGROUP})
_PROCESS_EVENTS = _LIFE_EVENTS | {RENAME}
_CHANGES = _PROCESS_EVENTS - {CGROUP}
_MANY_CHANGES = 64
_MANY_RECORDS = 4 * _MANY_CHANGES


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
    the id was given to somebody else since; without `complete` either may be, and nobody knows. `renamed` says that it
    took another name without an execve being recorded.
    """

    fork: Fork | None = None
    execs: tuple[Exec, ...] = ()
    comm: str | None = None
    cgroup: str | None = None
    execs_later: bool = False
    reused: bool = False
    renamed: bool = False
    complete: bool = True


class FlightRecorder:
    """Reads the recorder's instance. `history_bytes` bounds what is kept of pages that were read."""

    def __init__(
        self,
        instance: Instance,
        *,
        history_bytes: int = 2 << 20,
        boot_ns: Callable[[], int] = boot_ns,
        on_read: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`on_read` is told until when (CLOCK_BOOTTIME) what was recorded is taken over, before it is."""
        self._instance = instance
        self._on_read = on_read
        self._boot_ns = boot_ns
        self._read_until_ns = 0
        self._history = History(self._decode, self._about, max_bytes=history_bytes)
        self._broken: set[int] = set()
        self._formats: dict[int, tuple[str, EventFormat]] = {}
        self._whom: dict[str, Field] = {}
        self._tells_printed: frozenset[str] = frozenset({CONSOLE})
        self._lives: dict[tuple[int, int], Life] = {}
        self.refused: dict[str, str] = {}

    def start(self, *, taken_ns: int = 0) -> None:
        """Enable every event that this kernel has; why one is not there stands in `refused`.

        What was done before is not known, unless it was recorded in an earlier life, which has taken with it what it
        had read until `taken_ns` (CLOCK_BOOTTIME).
        """
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
                self._tells_printed = frozenset(PRINTED)
        self._history.gap(taken_ns if self._instance.taken_over else self._boot_ns())

    def refresh(self) -> None:
        """Take over what was recorded since the last call; nothing is decoded yet."""
        self._lives.clear()
        self._read_until_ns = self._boot_ns()
        self._on_read(self._read_until_ns)
        for cpu, raw in self._instance.raw_pages():
            try:
                time_ns, lost, data_end = self._instance.header(raw)
            except DecodeError:
                self._broken.add(cpu)
                continue
            if lost != 0 or cpu in self._broken:
                self._history.gap(time_ns)
                self._broken.discard(cpu)
            self._history.add(cpu, time_ns, raw[:data_end])

    def catch_up(self, time_ns: int) -> None:
        """Have what was recorded up to a moment: calls come in batches, and one reading is enough for all of them."""
        if time_ns >= self._read_until_ns:
            self.refresh()

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
                life = Life(complete=False)
            self._lives[tid, time_ns] = life
        return life

    def changed(self, tid: int, after_ns: int) -> bool:
        """Whether something about a thread was recorded after a moment, or may have been."""
        if self._history.complete_since > after_ns:
            return True
        try:
            return any(  # the newest page first: of who changes all the time nothing else is read
                when > after_ns and event in _PROCESS_EVENTS and self._whom[event].integer(record) == tid
                for page in reversed(self._history.about(tid))
                if page.end_ns > after_ns
                for when, event, _, record in reversed(self._history.records(page))
            )
        except DecodeError:
            return True

    def changes(self, tid: int, after_ns: int, until_ns: int) -> list[int] | None:
        """When, in (after_ns, until_ns] of CLOCK_BOOTTIME, a thread was born, ran execve or took another name.

        None when that is not known, or was very often.
        """
        if self._history.complete_since > after_ns:
            return None
        found: list[Record] = []
        try:
            for page in reversed(self._history.about(tid)):
                if page.end_ns > after_ns:
                    found += [one for one in self._history.records(page) if self._is_change(one, tid)]
                if len(found) > _MANY_RECORDS:
                    return None
        except DecodeError:
            return None
        found.sort(key=_by_time)
        # execve renames first: that is no change of its own
        own = [one for one, after in zip_longest(found, found[1:]) if not _is_of_exec(one[1], after)]
        changes = [when for when, *_ in own if after_ns < when <= until_ns]
        return changes if len(changes) <= _MANY_CHANGES else None

    def _is_change(self, record: Record, tid: int) -> bool:
        return record[1] in _CHANGES and self._whom[record[1]].integer(record[3]) == tid

    def console(self, after_ns: int, until_ns: int) -> list[str]:
        """The text of records printed in (after_ns, until_ns] of CLOCK_BOOTTIME, oldest first, without their level."""
        lines = []
        for when, event, layout, record in self._records(self._history.since(after_ns)):
            if event == CONSOLE and after_ns < when <= until_ns:
                with suppress(DecodeError):
                    lines.append(text(layout["msg"].text(record)))
        return lines

    def printed(self, after_ns: int, until_ns: int) -> int:
        """How many records were printed in (after_ns, until_ns] of CLOCK_BOOTTIME, as far as this kernel tells."""
        return sum(page.count_printed(after_ns, until_ns) for page in self._history.since(after_ns))

    def _read_life(self, tid: int, time_ns: int) -> Life:
        fork: Fork | None = None
        execs: list[Exec] = []
        cgroup: str | None = None
        later = reused = False
        for when, event, layout, record in self._life_of(tid):
            if when > time_ns:
                later, reused = later or event == EXEC, event == FORK
                if reused:
                    break
            elif event == FORK:
                flags = layout["clone_flags"].integer(record)
                fork = Fork(
                    when,
                    layout["common_pid"].integer(record),
                    text(layout["comm"].text(record)),
                    bool(flags & _CLONE_THREAD),
                    bool(flags & _CLONE_PARENT),
                )
                execs, cgroup = [], None
            elif event == EXEC:
                execs.append(Exec(when, text(layout["filename"].text(record))))
            else:
                cgroup = text(layout["dst_path"].text(record))
        complete = self._history.complete_since <= time_ns
        named_ns, name = self._name_of(tid, time_ns, fork) if complete else (0, None)
        renamed = not execs and named_ns > (0 if fork is None else fork.time_ns)
        return Life(fork, tuple(execs), name, cgroup, later, reused, renamed, complete)

    def _life_of(self, tid: int) -> list[Record]:
        """The records that make a thread's life, by time: not its names, of which it can have very many."""
        pages = [page for page in self._history.about(tid) if tid in page.lives]
        return [
            record
            for record in self._records(pages)
            if record[1] in _LIFE_EVENTS
            and record[0] >= self._history.complete_since
            and self._whom[record[1]].integer(record[3]) == tid
        ]

    def _name_of(self, tid: int, time_ns: int, fork: Fork | None) -> tuple[int, str | None]:
        """(since when, name): the newest that a thread was given until then, else the one that it gave up later."""
        newest, name = (0, None) if fork is None else (fork.time_ns, fork.comm)
        for when, _, layout, record in self._renames(tid, reversed, lambda when: when <= time_ns):
            if when >= max(newest, self._history.complete_since):
                newest, name = when, text(layout["newcomm"].text(record))
        if name is None:
            later = sorted(self._renames(tid, iter, lambda when: when > time_ns), key=_by_time)
            name = text(later[0][2]["oldcomm"].text(later[0][3])) if later else None
        return newest, name

    def _renames(
        self, tid: int, order: Callable[[Sequence[Any]], Iterator[Any]], wanted: Callable[[int], bool]
    ) -> Iterator[Record]:
        """Of each CPU the first rename of a thread, in this order, that was made at a wanted time."""
        done: set[int] = set()
        for page in order(self._history.about(tid)):
            if page.cpu in done or not (wanted(page.time_ns) or wanted(page.end_ns)):
                continue
            for record in order(self._history.records(page)):
                if record[1] == RENAME and wanted(record[0]) and self._whom[RENAME].integer(record[3]) == tid:
                    done.add(page.cpu)
                    yield record
                    break

    def _records(self, pages: Iterable[HeldPage]) -> list[Record]:
        """The records on some pages, by time."""
        return sorted(chain.from_iterable(map(self._history.records, pages)), key=_by_time)

    def _decode(self, raw: bytes) -> list[Record]:
        found = []
        for time_ns, record in self._instance.decode(raw).records:
            known = self._formats.get(int.from_bytes(record[:2], "little"))
            if known is not None:
                found.append((time_ns, *known, record))
        return found

    def _about(self, record: Record) -> About:
        _, event, _, raw = record
        if event not in _PROCESS_EVENTS:
            return About(printed=event in self._tells_printed)
        tid = int.from_bytes(raw[self._whom[event].offset :][:4], "little", signed=True)
        return About(name=tid) if event == RENAME else About(life=tid)


def _by_time(record: Record) -> int:
    return record[0]


def _is_of_exec(event: str, after: Record | None) -> bool:
    return event == RENAME and after is not None and after[1] == EXEC
