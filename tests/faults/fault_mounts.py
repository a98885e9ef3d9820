"""A small file system that only one thread sees."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_REMOUNT, _MS_REC, _MS_PRIVATE = 1, 32, 16384, 1 << 18


def on_small_disk(folder: Path, size_bytes: int, run: Callable[[], None]) -> None:
    """Call it in a thread that finds a tmpfs of this size at `folder`. What it raises is raised here."""
    raised: list[BaseException] = []

    def main() -> None:
        try:
            _checked(ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS))
            _mount("none", Path("/"), "", _MS_REC | _MS_PRIVATE, "")
            _mount("tmpfs", folder, "tmpfs", 0, f"size={size_bytes}")
            run()
        except BaseException as exc:  # noqa: BLE001  carried to the caller
            raised.append(exc)

    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def make_read_only(folder: Path, *, read_only: bool) -> None:
    _mount("tmpfs", folder, "tmpfs", _MS_REMOUNT | (_MS_RDONLY if read_only else 0), "")


def _mount(source: str, target: Path, kind: str, flags: int, data: str) -> None:
    texts = [text.encode() for text in (source, str(target), kind)]
    _checked(ctypes.CDLL(None, use_errno=True).mount(*texts, ctypes.c_ulong(flags), data.encode()))


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
