"""Who holds the log open for reading now: /proc/*/fd is the truth, also for descriptors inherited or passed on."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kmsg_exporter.model import Interface, Reader
from kmsg_exporter.process import procfs

_KMSG_DEVICE = os.makedev(1, 11)
_HURRY_SECONDS = 0.25
_GONE = (FileNotFoundError, ProcessLookupError)


@dataclass(frozen=True)
class _Held:
    reader: Reader
    path: str
    """Of the descriptor, in /proc."""


class ReaderScan:
    """Scans a piece at a time, so that a node with thousands of processes is not felt.

    The next scan begins `interval_seconds` after the last one, or later: scans take at most `share` of one core, those
    that are brought forward at most `hurried_share`. The descriptors that were found are few: whether they are still
    held is looked at every `interval_seconds`, so that a reader that is gone is not shown until the next scan.
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
        self._found: list[_Held] = []
        self._held: list[_Held] = []
        self._spent = 0.0
        self._next = 0.0
        self._check_at = 0.0
        self._earliest = 0.0
        self._again = False
        self.readers: tuple[Reader, ...] | None = None
        self.unseen = 0
        self._unseen = 0

    def bring_forward(self) -> None:
        """Something was opened or released: look soon. A scan under way may have passed it already."""
        self._again = self._again or self._running is not None
        self._next = min(self._next, self._earliest)

    def due(self) -> bool:
        """Whether there is something to do now."""
        return self._running is not None or self._monotonic() >= min(self._next, self._check_at)

    def step(self, seconds: float) -> None:
        """Work for about this long, on CPU."""
        begun = self._cpu()
        if self._running is None:
            if self._monotonic() < self._next:
                self._check()
                return
            self._running, self._found, self._spent, self._unseen = self._each(), [], 0.0, 0
            self._again = False
        for held in self._running:
            self._found += held
            if self._cpu() - begun > seconds:
                self._spent += self._cpu() - begun
                return
        self._spent += self._cpu() - begun
        self._running = None
        self._show(self._found)
        self.unseen = self._unseen
        now = self._monotonic()
        self._earliest = now + max(_HURRY_SECONDS, self._spent / self._hurried_share)
        self._next = self._earliest if self._again else now + max(self._interval, self._spent / self._share)

    def _check(self) -> None:
        """Whether what was found is still held: a process may hold it by another descriptor, so one that is not is
        scanned again as a whole."""
        still: list[_Held] = []
        for pid in dict.fromkeys(held.reader.pid for held in self._held):
            mine = [held for held in self._held if held.reader.pid == pid]
            intact = all(self._interface(held.path) == held.reader.interface for held in mine)
            still += mine if intact else self._process(pid)
        self._show(still)

    def _show(self, held: list[_Held]) -> None:
        self._held = held
        self.readers = tuple(one.reader for one in held)
        self._check_at = self._monotonic() + self._interval

    def _each(self) -> Iterator[list[_Held]]:
        own = os.getpid()
        for name in os.listdir(self._proc):
            if name.isdigit() and int(name) != own:
                yield self._process(int(name))

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
            text = (self._proc / str(pid) / "fdinfo" / name).read_text()
        except OSError:
            return False
        flags = next((line.split()[1] for line in text.splitlines() if line.startswith("flags:")), "0")
        return int(flags, 8) & os.O_ACCMODE != os.O_WRONLY
