"""One holder of a folder: flock(2), which dies with its holder and is seen by the host and its containers alike."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from kmsg_exporter.errors import AlreadyRunning


def hold(path: Path, *, proc: Path) -> int:
    """Lock a file or folder until the descriptor returned is closed. Raises AlreadyRunning with the holder's pid."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(fd)
        pid = holder(path, proc=proc)
        who = f" (pid {pid})" if pid else ""
        raise AlreadyRunning(f"another kmsg-exporter{who} runs on this node and holds {path}: stop it first") from exc
    return fd


def holder(path: Path, *, proc: Path) -> int | None:
    """Who holds a flock on this file or folder. Raises OSError where that can't be looked at."""
    return _holder(path.stat().st_ino, proc / "locks")


def _holder(inode: int, locks: Path) -> int | None:
    """Who holds a flock on the file with this inode number, as /proc/locks tells."""
    line = rb"^\d+: FLOCK +\S+ +\S+ +(\d{1,9}) \S*:%d " % inode
    found = re.search(line, locks.read_bytes(), re.MULTILINE)
    return int(found[1]) if found else None
