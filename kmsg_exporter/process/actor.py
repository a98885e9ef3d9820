"""Who it was: a thread id and a moment, made into an actor by /proc and the flight recorder."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kmsg_exporter.clock import boot_ns, unix_ns
from kmsg_exporter.model import OTHER, Actor, Process, Source
from kmsg_exporter.process import procfs
from kmsg_exporter.process.container import container_id, pod_uid
from kmsg_exporter.process.exepath import as_exe
from kmsg_exporter.process.origin import origin
from kmsg_exporter.process.recorder import Exec, FlightRecorder, Life

_TICK_NS = 10_000_000  # start times in /proc are rounded down to a clock tick
_INIT = 1
_MAX_ANCESTORS = 16
_MAX_FORKS = 16
_CACHE_SECONDS = 2.0
_CACHE_ENTRIES = 256
_MANY_LOOKUPS = 64


@dataclass(frozen=True, slots=True)
class Image:
    """What a process ran at some moment."""

    comm: str
    exe: str
    source: Source
    derived: bool


@dataclass(frozen=True, slots=True)
class _Named:
    """An answer, good until a moment of the monotonic clock; given for a call at `time_ns`."""

    until: float
    time_ns: int
    comm: str
    exe: str


_ITSELF = frozenset({"/proc/self/exe", "/proc/thread-self/exe"})


class Resolver:
    """Names actors. `recorder` is None where nothing can be traced: then only the living have names.

    `attributions` counts the answers by source.
    """

    def __init__(
        self,
        recorder: FlightRecorder | None,
        *,
        proc: Path,
        command_args: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        boot_ns: Callable[[], int] = boot_ns,
        unix_ns: Callable[[int], int] = unix_ns,
    ) -> None:
        self._recorder = recorder
        self._proc = proc
        self._command_args = command_args
        self._monotonic = monotonic
        self._boot_ns = boot_ns
        self._unix_ns = unix_ns
        self._cache: dict[tuple[int, bytes | None], _Named] = {}
        self._lasting: dict[tuple[int, bytes], procfs.Living] = {}
        self._seen: dict[int, tuple[int, procfs.Living | None]] = {}
        self._lookups: Counter[int] = Counter()
        self.attributions: Counter[str] = Counter()

    def use(self, recorder: FlightRecorder | None) -> None:
        """Ask another flight recorder from now on."""
        self._recorder = recorder

    def refresh(self) -> None:
        """Take over what the flight recorder holds; once for each batch of calls, before they are named."""
        if self._recorder is not None:
            self._recorder.refresh()

    def begin(self) -> None:
        """A new batch of calls. In one, a thread that is somebody else again and again is "other" from some time on."""
        self._lookups.clear()

    def changed(self, tid: int, since_ns: int) -> bool:
        """Whether a thread may be somebody else now, or run something else, than at a moment before."""
        return self._recorder is not None and self._recorder.changed(tid, since_ns)

    def name(self, tid: int, time_ns: int, comm: bytes | None) -> tuple[str, str]:
        """(comm, exe) for a call that is only counted. Answers are kept for two seconds: readers come in storms."""
        self._catch_up(time_ns)
        key = (tid, comm)
        now = self._monotonic()
        cached = self._cache.get(key)
        if cached is not None and cached.until > now and not self.changed(tid, min(cached.time_ns, time_ns)):
            self.attributions["cache"] += 1
            return cached.comm, cached.exe
        if self._floods(tid):
            return OTHER, OTHER
        living = self._living(tid, time_ns)
        image = self._image(tid, time_ns, living)
        if not image.exe and cached is not None and living is not None and living.exe == cached.exe:
            # on both sides of a gap in what was recorded it ran the same
            image = Image(cached.comm, cached.exe, "cache", derived=False)
        named = _Named(now + _CACHE_SECONDS, time_ns, image.comm if comm is None else procfs.text(comm), image.exe)
        self.attributions[image.source] += 1
        if len(self._cache) >= _CACHE_ENTRIES:
            self._cache.clear()
        self._cache[key] = named
        return named.comm, named.exe

    def name_between(self, tid: int, since_ns: int, until_ns: int, comm: bytes) -> tuple[str, str]:
        """(comm, exe) for calls that were counted, not recorded; the exe is "" if there were two under this name."""
        shown = procfs.text(comm)
        before = self._lasting.get((tid, comm))
        living = None if before is None else procfs.read_living(tid, proc=self._proc)
        if living is not None and living == before:  # on both sides of what was counted it ran the same
            self.attributions["cache"] += 1
            return shown, living.exe
        moments = self._moments(tid, since_ns, until_ns)
        images = [image for image in self._images(tid, moments) if image.comm == shown and image.exe]
        if len({image.exe for image in images}) != 1:
            self.attributions["none"] += 1
            return shown, ""
        living = self._living(tid, until_ns)
        if living is not None and living.comm == shown and living.exe == images[0].exe:
            if len(self._lasting) >= _CACHE_ENTRIES:
                self._lasting.clear()
            self._lasting[tid, comm] = living
        self.attributions[images[0].source] += 1
        return shown, images[0].exe

    def actor_between(self, tid: int, since_ns: int, until_ns: int) -> Actor | None:
        """Who made calls that were counted, not recorded; None if it was not one comm and exe all the time."""
        moments = self._moments(tid, since_ns, until_ns)
        if len({(image.comm, image.exe) for image in self._images(tid, moments) if image.exe}) != 1:
            return None
        _, *changes, _ = moments
        return self.actor(tid, changes[-1] if changes else until_ns, None)

    def _moments(self, tid: int, since_ns: int, until_ns: int) -> tuple[int, ...]:
        """The ends of a stretch of time, and when a thread changed in between; empty where that is not known."""
        self._catch_up(until_ns)
        changes = [] if self._recorder is None else self._recorder.changes(tid, since_ns, until_ns)
        return () if changes is None else (since_ns, *changes, until_ns)

    def _images(self, tid: int, moments: tuple[int, ...]) -> list[Image]:
        """What a thread ran at each of some moments."""
        return [self._image_of(tid, when, _MAX_FORKS) for when in moments]

    def actor(self, tid: int, time_ns: int, comm: bytes | None) -> Actor:
        """The whole story for a call that is told: who, and the chain above it."""
        if self._floods(tid):
            return Actor(tid, tid, OTHER, OTHER, "none", origin=OTHER)
        self._catch_up(time_ns)
        living = self._living(tid, time_ns)
        life = self._life(tid, time_ns)
        image = self._image(tid, time_ns, living)
        pid = living.pid if living is not None else self._leader(tid, life)
        ancestors, parent_pid = self._ancestors(pid, time_ns)
        cgroup = self._cgroup(pid, life, time_ns)
        self.attributions[image.source] += 1
        return Actor(
            pid=pid,
            tid=tid,
            comm=image.comm if comm is None else procfs.text(comm),
            exe=image.exe,
            source=image.source,
            derived=image.derived,
            parent_pid=parent_pid,
            user_id=living.user_id if living is not None else None,
            ancestors=ancestors,
            origin=origin(ancestors),
            container_id=container_id(cgroup),
            pod_uid=pod_uid(cgroup),
            command_args=self._args(living) if living is not None and image.source == "procfs" else None,
        )

    def _args(self, living: procfs.Living) -> tuple[str, ...] | None:
        if not self._command_args:
            return None
        args = procfs.read_command_args(living.pid, proc=self._proc)
        return args if procfs.lives_on(living, proc=self._proc) else None

    def _floods(self, tid: int) -> bool:
        """Whether a thread was looked up very often in this batch: naming takes longer than making names up."""
        self._lookups[tid] += 1
        if self._lookups[tid] > _MANY_LOOKUPS:
            self.attributions["none"] += 1
            return True
        return False

    def _catch_up(self, time_ns: int) -> None:
        if self._recorder is not None:
            self._recorder.catch_up(time_ns)

    def _living(self, tid: int, time_ns: int) -> procfs.Living | None:
        """/proc's answer, unless the id has gone to somebody who was born after the call."""
        living = self._look_at(tid, time_ns)
        if living is None or living.start_ns > time_ns + _TICK_NS or self._life(tid, time_ns).reused:
            return None
        return living

    def _look_at(self, tid: int, time_ns: int) -> procfs.Living | None:
        """What /proc shows; one look is enough for all calls from before it."""
        seen_ns, living = self._seen.get(tid, (0, None))
        if time_ns >= seen_ns:
            if len(self._seen) >= _CACHE_ENTRIES:
                self._seen.clear()
            seen_ns, living = self._boot_ns(), procfs.read_living(tid, proc=self._proc)
            self._seen[tid] = seen_ns, living
            if living is not None:
                self.refresh()  # what it did before it was looked at must be known, or it is taken for who called
        return living

    def _life(self, tid: int, time_ns: int) -> Life:
        return self._recorder.life(tid, time_ns) if self._recorder is not None else Life()

    def _image(self, tid: int, time_ns: int, living: procfs.Living | None, forks: int = _MAX_FORKS) -> Image:
        """What thread `tid` ran at `time_ns`."""
        life = self._life(tid, time_ns)
        leader = life if living is None or living.pid == tid else self._life(living.pid, time_ns)
        comm = life.comm  # a name may be empty
        if comm is None:
            comm = living.comm if living is not None and life.complete else ""
        if living is not None and living.exe and all(one.complete and not one.execs_later for one in (life, leader)):
            return Image(comm, living.exe, "procfs", derived=False)
        if life.execs:
            exe, derived = self._exec_exe(tid, life, forks)
            return Image(comm, exe, "exec_trace", derived)
        # A fork that never ran execve has its parent's executable. One with another name may have run execve: the
        # record of a path of 4 KiB does not fit in a page, and the kernel makes none. A thread can't have, and be one.
        if life.fork is not None and forks and (life.fork.thread or not life.renamed):
            parent = self._image_of(life.fork.parent_tid, life.fork.time_ns, forks - 1)
            if parent.exe:
                return Image(comm, parent.exe, "fork_trace", parent.derived)
        return Image(comm, "", "none", derived=False)

    def _image_of(self, tid: int, time_ns: int, forks: int) -> Image:
        return self._image(tid, time_ns, self._living(tid, time_ns), forks)

    def _exec_exe(self, tid: int, life: Life, forks: int) -> tuple[str, bool]:
        """What /proc/PID/exe said after the last execve of a life that is over."""
        run = next((run for run in reversed(life.execs) if run.filename not in _ITSELF), None)
        if run is not None:
            exe, derived = self._resolved(tid, life, run)
            return exe, derived or run is not life.execs[-1]
        if life.fork is not None and forks:
            return self._image_of(life.fork.parent_tid, life.fork.time_ns, forks - 1).exe, True
        return life.execs[0].filename, True

    def _resolved(self, tid: int, life: Life, run: Exec) -> tuple[str, bool]:
        """What execve of a path ran, in the file system that a life that is over saw: as those above it see it."""
        inside = container_id(self._cgroup(tid, life, run.time_ns))
        for witness in self._living_ancestors(life):
            found = self._as_seen_by(witness.tid, inside, run)
            if procfs.lives_on(witness, proc=self._proc):
                return found  # else it ended meanwhile, and what it saw with it: the next one above
        return self._as_seen_by(_INIT, inside, run)

    def _as_seen_by(self, witness: int, inside: str | None, run: Exec) -> tuple[str, bool]:
        if inside != container_id(procfs.read_cgroup(witness, proc=self._proc) or ""):
            return run.filename, True  # a container's runtime lives above it, and sees other files
        return as_exe(run.filename, root=self._proc / str(witness) / "root", unix_ns=self._unix_ns(run.time_ns))

    def _living_ancestors(self, life: Life) -> Iterator[procfs.Living]:
        """Those above a life that is over who still lived when they were looked at, nearest first."""
        for _ in range(_MAX_FORKS):
            if life.fork is None:
                break
            parent, when = life.fork.parent_tid, life.fork.time_ns
            living = self._living(parent, when)
            if living is not None and not living.zombie:
                yield living
            life = self._life(parent, when)

    def _leader(self, tid: int, life: Life) -> int:
        """The process that a dead thread was part of."""
        for _ in range(_MAX_FORKS):
            fork = life.fork
            if fork is None or not fork.thread:
                break
            parent = self._living(fork.parent_tid, fork.time_ns)
            if parent is not None:
                return parent.pid
            tid, life = fork.parent_tid, self._life(fork.parent_tid, fork.time_ns)
        return tid

    def _ancestors(self, pid: int, time_ns: int) -> tuple[tuple[Process, ...], int | None]:
        """The chain above a process, nearest first, and its parent's pid."""
        chain: list[Process] = []
        first: int | None = None
        when = time_ns
        while len(chain) < _MAX_ANCESTORS:
            above = self._parent(pid, when)
            if above is None or above[0] == 0:
                break
            fork = self._life(pid, when).fork
            pid, when = above
            first = first or pid
            image = self._image_of(pid, when, _MAX_FORKS)
            # a child begins with its parent's name, which may be all that is left of the parent
            inherited = fork.comm if fork is not None and not fork.sibling else ""
            chain.append(Process(pid, image.comm or inherited, image.exe, image.derived))
        return tuple(chain), first

    def _parent(self, pid: int, time_ns: int) -> tuple[int, int] | None:
        """(pid, moment) of the parent that a process had: the recorded one, else today's (init, for an orphan)."""
        for _ in range(_MAX_FORKS):
            fork = self._life(pid, time_ns).fork
            if fork is None:
                living = self._living(pid, time_ns)
                return (living.parent_pid, time_ns) if living is not None else None
            parent = self._living(fork.parent_tid, fork.time_ns)
            leader = (
                parent.pid
                if parent is not None
                else self._leader(fork.parent_tid, self._life(fork.parent_tid, fork.time_ns))
            )
            if not fork.sibling:
                # a parent that lives is told of as it is now (it may have run execve since), else as of the fork
                return leader, time_ns if parent is not None else fork.time_ns
            pid, time_ns = leader, fork.time_ns  # the same parent as who forked it
        return None

    def _cgroup(self, pid: int, life: Life, time_ns: int) -> str:
        """The cgroup of a process: its own, or that of who forked it, as far back as it takes.

        A child starts in the cgroup of the caller of fork, which need not be its parent: a runtime attaches a helper
        to the container's cgroup, and that one clones the container's first process with CLONE_PARENT.
        """
        for _ in range(_MAX_FORKS):
            if life.cgroup:
                return life.cgroup
            living = self._living(pid, time_ns)
            if living is not None and not living.zombie:
                found = procfs.read_cgroup(pid, proc=self._proc)
                if found and procfs.lives_on(living, proc=self._proc):
                    return found
            if life.fork is None:
                break
            pid, time_ns = life.fork.parent_tid, life.fork.time_ns
            life = self._life(pid, time_ns)
        return ""
