"""The log through syslog(2), for where /dev/kmsg can't be opened: never an action that consumes or clears."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import replace

from kmsg_exporter.errors import RingUnavailable
from kmsg_exporter.model import LogRecord, RingState
from kmsg_exporter.ring.look import Look
from kmsg_exporter.ring.record import parse_line

_READ_ALL = 3
_SIZE_BUFFER = 10
_TAIL_BYTES = 65536
_LARGEST_RECORD_BYTES = 16384


def klogctl(action: int, buffer: ctypes.Array[ctypes.c_char] | None = None) -> int:
    """syslog(2) by the C library. Raises RingUnavailable with the kernel's reason."""
    call = ctypes.CDLL(None, use_errno=True).klogctl
    result: int = call(action, buffer, 0 if buffer is None else len(buffer))
    if result < 0:
        number = ctypes.get_errno()
        raise RingUnavailable(f"syslog action {action}: {os.strerror(number)}: it takes CAP_SYSLOG")
    return result


def buffer_bytes() -> int | None:
    """The ring's size, None where it may not be asked."""
    try:
        return klogctl(_SIZE_BUFFER)
    except RingUnavailable:
        return None


def read_all(size: int) -> bytes:
    """The newest whole records that fit in `size` bytes. A record that does not fit gives nothing: be generous."""
    buffer = ctypes.create_string_buffer(size)
    length = klogctl(_READ_ALL, buffer)
    return buffer.raw[:length]


class SyslogRing:
    """Looks at the log by READ_ALL: it has no sequence numbers, so lines are compared.

    A clear shows as the newest line of the look before being gone although everything visible was read.
    """

    def __init__(self, *, read: Callable[[int], bytes] = read_all, size: int | None = None) -> None:
        self._read = read
        self._size = klogctl(_SIZE_BUFFER) if size is None else size
        # one look at the whole, once: what is visible now is what a clear may hide
        self._known = tuple(parse_line(line) for line in read(max(self._size, _TAIL_BYTES)).splitlines())
        self._newest = self._newest_line(read(_TAIL_BYTES))

    def look(self, *, count_records: bool) -> Look:  # noqa: ARG002  records have no numbers here
        """The log against the look before."""
        text = self._read(_TAIL_BYTES)
        # a line is gone by overwriting as well, but then the ring is full, and what is visible fills half of it or more
        everything = len(text) < min(_TAIL_BYTES - _LARGEST_RECORD_BYTES, self._size // 2)
        jumped = self._newest is not None and everything and self._newest not in text.splitlines()
        self._newest = self._newest_line(text)
        return Look(RingState(empty=not text, buffer_bytes=self._size), jumped)

    def hidden(self, look: Look) -> tuple[LogRecord, ...]:  # noqa: ARG002
        """What was visible when the agent started, given out once: later lines come from the flight recorder."""
        known, self._known = self._known, ()
        return tuple(replace(record, seq=None) for record in known)

    def resume(self, visible_from: int) -> None:
        """There are no positions to resume at."""

    def close(self) -> None:
        """There is nothing to give up."""

    @staticmethod
    def _newest_line(text: bytes) -> bytes | None:
        lines = text.splitlines()
        return lines[-1] if lines else None
