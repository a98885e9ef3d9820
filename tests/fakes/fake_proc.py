"""A /proc made of real files and links, for the processes that a test wants to be alive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

SECOND = 1_000_000_000


class FakeProc:
    """`folder` is what to give as `proc`. A process sees `root` (default: the host's root) as its root folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "proc"
        self.host = folder / "root"
        self.folder.mkdir()
        self.host.mkdir()
        self.add(1, comm="systemd", exe="/usr/lib/systemd/systemd", parent=0)

    def add(
        self,
        tid: int,
        *,
        comm: str = "bash",
        exe: str | None = "/usr/bin/bash",
        pid: int | None = None,
        parent: int = 1,
        uid: int = 0,
        start_ns: int = SECOND,
        state: str = "S",
        root: Path | None = None,
        cgroup: str = "/",
        args: bytes = b"",
    ) -> None:
        folder = self.folder / str(tid)
        folder.mkdir()
        ticks = start_ns * os.sysconf("SC_CLK_TCK") // SECOND
        (folder / "status").write_text(
            f"Name:\t{comm}\nUmask:\t0022\nState:\t{state} (whatever)\nTgid:\t{pid or tid}\nNgid:\t0\nPid:\t{tid}\n"
            f"PPid:\t{parent}\nTracerPid:\t0\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t0\t0\t0\t0\n"
        )
        (folder / "stat").write_text(f"{tid} ({comm}) {state} {parent} 1 1 0 -1 4194304 {'0 ' * 12}{ticks} 9 9 9\n")
        (folder / "comm").write_text(f"{comm}\n")
        (folder / "cgroup").write_text(f"0::{cgroup}\n")
        (folder / "cmdline").write_bytes(args)
        (folder / "root").symlink_to(self.host if root is None else root)
        if exe is not None:
            (folder / "exe").symlink_to(exe)

    def remove(self, tid: int) -> None:
        shutil.rmtree(self.folder / str(tid))

    def file(self, path: str, content: bytes = b"\x7fELF", *, root: Path | None = None) -> Path:
        """A file below the host's root, or another."""
        place = (root or self.host) / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    def link(self, path: str, target: str, *, root: Path | None = None) -> None:
        place = (root or self.host) / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
