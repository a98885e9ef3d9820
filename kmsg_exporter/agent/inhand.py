"""How far a killed agent had come: what it had taken from the kernel's buffers, and how much of that was kept."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LINE_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class Left:
    """What an earlier life of this boot left. `unkept`: it had seen an emptying that was neither stored nor drafted.

    What the flight recorder had recorded until `recorded_ns` (CLOCK_BOOTTIME) it had taken with it.
    """

    unkept: bool = False
    recorded_ns: int = 0


class InHand:
    """Some numbers in a file of the runtime directory, written in place: they outlive who is killed, not the boot.

    For any thread. Where the file can't be written nothing is known of an earlier life.
    """

    def __init__(self, path: Path, boot_id: str) -> None:
        self._boot_id = boot_id
        self._lock = threading.Lock()
        self._fd: int | None = None
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._seen, self._kept, self._recorded_ns = self._read()
        self.left = Left(self._seen != self._kept, self._recorded_ns)

    def close(self) -> None:
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
            self._fd = None

    def see(self) -> int:
        """An emptying was seen; its number."""
        with self._lock:
            self._seen += 1
            self._write()
            return self._seen

    def keep_all(self) -> None:
        """Nothing that was seen can be lost any more."""
        self.keep(self._seen)

    def keep(self, number: int) -> None:
        """The emptyings up to this number can't be lost any more."""
        with self._lock:
            if number > self._kept:
                self._kept = number
                self._write()

    def record(self, until_ns: int) -> None:
        """What the flight recorder holds until this moment was taken over."""
        with self._lock:
            self._recorded_ns = until_ns
            self._write()

    def _write(self) -> None:
        if self._fd is not None:
            line = json.dumps([self._boot_id, self._seen, self._kept, self._recorded_ns])
            with suppress(OSError):
                os.pwrite(self._fd, f"{line:{_LINE_BYTES - 1}}\n".encode(), 0)

    def _read(self) -> tuple[int, int, int]:
        if self._fd is not None:
            with suppress(OSError, ValueError, TypeError):
                boot_id, *numbers = json.loads(os.pread(self._fd, _LINE_BYTES, 0))
                seen, kept, recorded_ns = map(int, numbers)
                if boot_id == self._boot_id:
                    return seen, kept, recorded_ns
        return 0, 0, 0
