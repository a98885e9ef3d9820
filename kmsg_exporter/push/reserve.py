"""Room on the disk that is kept for the moment when it is full: then even a DELETE needs some."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 2 << 20  # what the write-ahead log may take between two checkpoints, and as much again


class Reserve:
    """A file of `size` bytes beside the spool, given up when the disk is full and made again when it is not."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def give_up(self) -> bool:
        """True when that made room."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def renew(self) -> bool:
        """Take the room again, where twice as much is free: a disk that is nearly full is left to what fills it.

        True when it is there.
        """
        with suppress(OSError):
            if self._path.exists():
                return True
            free = os.statvfs(self._path.parent)
            if free.f_bavail * free.f_frsize < 2 * self._size:
                return False
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(fd, 0, self._size)
            except OSError:
                self._path.unlink()
                return False
            finally:
                os.close(fd)
            return True
        return False
