"""The C library's heap, kept small: mallopt(3)."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

_M_ARENA_MAX: Final = -8  # of glibc's malloc.h
_M_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 256 << 10


def share() -> None:
    """One heap for all threads that are started from now on, in place of eight for each CPU that never shrink.

    Threads hardly ever allocate at the same time here. Other C libraries than glibc have one anyway.
    """
    _set(_M_ARENA_MAX, 1)


def return_large() -> None:
    """From now on what is large goes back to the kernel as soon as it is free.

    By itself glibc keeps the more the larger the blocks are that were once free, and holes between those that live.
    """
    _set(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def _set(parameter: int, value: int) -> None:
    with suppress(AttributeError):  # no mallopt
        ctypes.CDLL(None).mallopt(parameter, value)
