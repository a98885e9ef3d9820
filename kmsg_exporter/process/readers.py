"""Who holds the log open for reading now: /proc/*/fd is the truth, also for descriptors inherited or passed on."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from kmsg_exporter.model import Interface, Reader
from kmsg_exporter.process import procfs

_KMSG_DEVICE = os.makedev(1, 11)
_HURRY_SECONDS = 0.25
_YOUNG_SECONDS = 30.0
_GONE = (FileNotFoundError, ProcessLookupError)
_FLAGS = re.compile(rb"^flags:\t([0-7]+)$", re.MULTILINE)


@dataclass(frozen=True)
class _Held:
    reader: Reader
    path: str
    """Of the descriptor, in /proc."""


class ReaderScan:
    """Scans a piece at a time, so that a node with thousands of processes is not felt.

    Every `interval_seconds` it looks whether what it found is still held, and at processes that were not there half a
    minute ago: they open what they need when they start, and not at once. What an old process has opened or was passed
    since shows at the next scan of all: after the same interval, or later, for these take at most `share` of one core,
    and those that are brought forward at most `hurried_share`. One that let go of the log brings it forward.
    `readers` is None until the first scan is through; `unseen` counts processes whose descriptors may not be read.
    """

    def __init__(
        self,
        *,
        proc: Path,
        interval_seconds: float,
        share: float = 0.0003,
        hurried_share: float = 0.005,
        monotonic: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._proc = proc
        self._interval = interval_seconds
        self._share = share
        self._hurried_share = hurried_share
        self._monotonic = monotonic
        self._cpu = cpu
        self._running: Iterator[list[_Held]] | None = None
        self._whole = True
        self._found: list[_Held] = []
        self._held: list[_Held] = []
        self._pids: set[int] = set()
        self._young: dict[int, float] = {}
        self._spent = 0.0
        self._next = 0.0
        self._next_whole = 0.0
        self._earliest = 0.0
        self._again = False
        self.readers: tuple[Reader, ...] | None = None
        self.unseen = 0
        self._unseen = 0

    def bring_forward(self) -> None:
        """Something was opened, released or let go of: look soon. A scan under way may have passed it already."""
        self._again = self._again or self._running is not None
        self._next_whole = min(self._next_whole, self._earliest)

    def due(self) -> bool:
        """Whether there is something to do now."""
        return self._running is not None or self._monotonic() >= min(self._next, self._next_whole)

    def step(self, seconds: float) -> None:
        """Work for about this long, on CPU."""
        begun = self._cpu()
        if self._running is None:
            if not self.due():
                return
            self._begin()
        for held in self._running or ():
            self._found += held
            if self._cpu() - begun > seconds:
                self._spent += self._cpu() - begun
                return
        self._spent += self._cpu() - begun
        self._finish()

    def _begin(self) -> None:
        self._whole = self._monotonic() >= self._next_whole
        self._found, self._spent, self._unseen = [], 0.0, 0
        self._again = self._again and not self._whole
        pids = {int(name) for name in os.listdir(self._proc) if name.isdigit()} - {os.getpid()}
        now = self._monotonic()
        new = dict.fromkeys(pids - self._pids if self._pids else (), now)
        known = {pid: since for pid, since in self._young.items() if pid in pids and now - since <= _YOUNG_SECONDS}
        self._young, self._pids = known | new, pids
        fresh = pids if self._whole else self._young.keys() - {held.reader.pid for held in self._held}
        self._running = chain(() if self._whole else self._still_held(), map(self._process, fresh))

    def _finish(self) -> None:
        self._running = None
        self._held = self._found
        self.readers = tuple(held.reader for held in self._found)
        now = self._monotonic()
        self._next = now + max(self._interval, 0.0 if self._whole else self._spent / self._hurried_share)
        if self._whole:
            self.unseen = self._unseen
            self._earliest = now + max(_HURRY_SECONDS, self._spent / self._hurried_share)
            self._next_whole = self._earliest if self._again else now + max(self._interval, self._spent / self._share)

    def _still_held(self) -> Iterator[list[_Held]]:
        """What was found before, a process at a time; one that let go of something is looked at as a whole."""
        for pid in dict.fromkeys(held.reader.pid for held in self._held):
            mine = [held for held in self._held if held.reader.pid == pid]
            comm = procfs.read_comm(pid, proc=self._proc)
            if comm is None or any(self._interface(held.path) != held.reader.interface for held in mine):
                self.bring_forward()  # an old process may have it now: passing it on is neither open nor release
                yield self._process(pid)
                continue
            exe = procfs.read_exe(pid, proc=self._proc) or ""
            yield [_Held(Reader(pid, comm, exe, held.reader.interface), held.path) for held in mine]

    def _process(self, pid: int) -> list[_Held]:
        folder = self._proc / str(pid) / "fd"
        found: dict[Interface, _Held] = {}
        try:
            names = os.listdir(folder)
        except _GONE:
            return []
        except PermissionError:
            self._unseen += 1
            return []
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118  Path is slow and this runs often
            interface = self._interface(path)
            if interface is not None and interface not in found and self._reads(pid, name):
                comm, exe = procfs.read_comm(pid, proc=self._proc), procfs.read_exe(pid, proc=self._proc)
                if comm is not None:
                    found[interface] = _Held(Reader(pid, comm, exe or "", interface), path)
        return list(found.values())

    def _interface(self, path: str) -> Interface | None:
        try:
            if not os.readlink(path).endswith("kmsg"):
                return None
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            return None
        if stat.S_ISCHR(status.st_mode):
            return "dev_kmsg" if status.st_rdev == _KMSG_DEVICE else None
        try:
            # the same number in every mount of proc, whichever pid namespace it shows
            same = status.st_ino == (self._proc / "kmsg").stat().st_ino and status.st_size == 0
        except OSError:
            return None
        return "proc_kmsg" if same else None

    def _reads(self, pid: int, name: str) -> bool:
        try:
            flags = _FLAGS.search((self._proc / str(pid) / "fdinfo" / name).read_bytes())
        except OSError:
            return False
        return flags is not None and int(flags[1], 8) & os.O_ACCMODE != os.O_WRONLY
