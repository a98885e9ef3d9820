"""A folder that is held only as long as nobody else wants it: flock(2) on a folder inside tells each of the other."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from kmsg_exporter.errors import AlreadyRunning
from kmsg_exporter.tracefs.lock import hold

_INSIDE: Final = "instances"
_WAIT_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.05


def offer(path: Path) -> int:
    """Say that what holds `path` gives way, until the descriptor returned is closed."""
    fd = os.open(path / _INSIDE, os.O_RDONLY | os.O_CLOEXEC)
    _share(fd)
    return fd


def is_wanted(offered: int) -> bool:
    """Whether somebody waits for what was offered: then there are two who share this lock."""
    alone = _alone(offered)  # a lock that can't be changed is lost
    _share(offered)
    return not alone


def hold_or_ask(path: Path, *, proc: Path, wait_seconds: float = _WAIT_SECONDS) -> int:
    """As `hold`, but wait for a holder that has offered to give way. Raises AlreadyRunning."""
    try:
        return hold(path, proc=proc)
    except AlreadyRunning as held:
        try:
            fd = os.open(path / _INSIDE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # then nobody can have offered it
            raise held from None
        try:
            if _alone(fd):
                raise
            return _wait(fd, path, proc, time.monotonic() + wait_seconds)
        finally:
            os.close(fd)


def _wait(fd: int, path: Path, proc: Path, deadline: float) -> int:
    while True:
        _share(fd)
        try:
            return hold(path, proc=proc)
        except AlreadyRunning:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)


def _alone(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _share(fd: int) -> None:
    """Others have it to themselves only for the moment in which they look."""
    deadline = time.monotonic() + 1.0
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.001)
        else:
            return
