"""Unique ids that sort by time: UUIDv7 (RFC 9562)."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable

_RANDOM_BITS = 74
_STEP_BITS = 32


class UidSource:
    """Gives UUIDv7 strings, each greater than the one before from the same source, also when the clock steps back."""

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self._unix_ms = -1
        self._random = 0

    def next(self) -> str:
        """A new id, e.g. `0190163d-8694-739b-aea5-966c26f8ad91`. Not for two threads at once."""
        unix_ms = self._clock_ns() // 1_000_000
        if unix_ms > self._unix_ms:
            self._unix_ms, self._random = unix_ms, secrets.randbits(_RANDOM_BITS)
        else:
            self._random += 1 + secrets.randbits(_STEP_BITS)
            if self._random >> _RANDOM_BITS:
                self._unix_ms, self._random = self._unix_ms + 1, secrets.randbits(_RANDOM_BITS)
        high, low = self._random >> 62, self._random & (1 << 62) - 1
        unix_ms_bits = self._unix_ms & (1 << 48) - 1
        return str(uuid.UUID(int=unix_ms_bits << 80 | 7 << 76 | high << 64 | 2 << 62 | low))
