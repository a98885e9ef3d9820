"""The log through /dev/kmsg: positions by sequence number, and the records themselves."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.model import LogRecord, RingState
from kmsg_exporter.ring.device import open_kmsg
from kmsg_exporter.ring.look import Look
from kmsg_exporter.ring.record import parse_record, parse_seq, text_bytes

_RECORD_BYTES = 16384  # a read that can't hold a whole record fails with EINVAL; they have up to about 8 KiB
_MAX_TRIES = 16


class DevKmsg:
    """Looks at the log through `path`. `buffer_bytes` is the ring's size, None where it is not known.

    Three descriptors: one that seeks, one that follows the log to its end to know the newest sequence number, and one
    that stands where the last emptying ended: the next one's records are found without reading the ring from its start.
    """

    def __init__(self, path: Path, *, buffer_bytes: int | None) -> None:
        self._path = path
        self._buffer_bytes = buffer_bytes
        with ExitStack() as stack:
            self._seeker, self._follower, self._teller = (_opened(path, stack) for _ in range(3))
            self._descriptors = stack.pop_all()
        self._ahead: bytes | None = None  # read by the teller, and not yet hidden
        self._told_seq = 0
        self._next_seq = 0
        self._used_bytes = 0
        self._visible_from: int | None = None

    def look(self, *, count_records: bool) -> Look:
        """The log against the look before. The first look never jumps, but see `resume`."""
        first = self._first_visible()
        visible_from = self._next_seq if first is None else first  # what is printed from here on is not hidden
        oldest = self._seq_at(os.SEEK_SET)
        if count_records:
            self._follow()
        oldest = visible_from if oldest is None else oldest
        counted = count_records or first is None
        before = visible_from if self._visible_from is None else self._visible_from
        # what was overwritten moves the first visible record as well, but then it is the oldest of all
        jumped = visible_from > before and (first is None or visible_from > oldest)
        self._visible_from = max(before, visible_from)
        return Look(
            RingState(
                empty=first is None,
                hidden_records=max(0, visible_from - oldest),
                records_total=self._next_seq if counted else None,
                overwritten_records_total=oldest,
                buffer_bytes=self._buffer_bytes,
                used_bytes=self._used(oldest) if counted else None,
            ),
            jumped,
            first_seq=before if jumped else None,
            end_seq=visible_from if jumped else None,
            visible_from=visible_from,
        )

    def hidden(self, look: Look) -> tuple[LogRecord, ...]:
        """Those of the records that `look` says were hidden which the ring still has, in log order.

        The one before them may have been read earlier: then it is there as well.
        """
        if look.first_seq is None or look.end_seq is None:
            return ()
        if look.first_seq < self._told_seq:
            os.lseek(self._teller, 0, os.SEEK_SET)
            self._ahead = None
        self._told_seq = look.end_seq
        found = []
        while (raw := self._ahead or _read(self._teller)) is not None:
            self._ahead = raw
            seq = parse_seq(raw)
            if seq >= look.end_seq:
                break
            self._ahead = None
            if seq >= look.first_seq:
                with suppress(DecodeError):
                    found.append(parse_record(raw))
        return tuple(found)

    def resume(self, visible_from: int) -> None:
        """Take the next look against this position. What the ring has overwritten since then is not called hidden."""
        oldest = self._seq_at(os.SEEK_SET)
        self._visible_from = visible_from if oldest is None else max(visible_from, oldest)

    def close(self) -> None:
        self._descriptors.close()

    def _first_visible(self) -> int | None:
        """The first visible record's number; None when dmesg shows nothing, and then `_next_seq` is exact."""
        for _ in range(_MAX_TRIES):
            first = self._seq_at(os.SEEK_DATA)
            if first is not None or self._follow() == 0:
                return first
        return None

    def _seq_at(self, whence: int) -> int | None:
        """The number of the record at one end of the log, None where there is none."""
        os.lseek(self._seeker, 0, whence)
        raw = _read(self._seeker)
        return None if raw is None else parse_seq(raw)

    def _follow(self) -> int:
        """Read on to the log's end; how many records that were."""
        count = 0
        while (raw := _read(self._follower)) is not None:
            self._next_seq = parse_seq(raw) + 1
            self._used_bytes += text_bytes(raw)
            count += 1
        return count

    def _used(self, oldest: int) -> int | None:
        """How much of the ring its texts take. It gives nothing back: once it overwrites, it is full."""
        if self._buffer_bytes is None or oldest:
            return self._buffer_bytes
        return min(self._used_bytes, self._buffer_bytes)


def _opened(path: Path, stack: ExitStack) -> int:
    fd = open_kmsg(path)
    stack.callback(os.close, fd)
    return fd


def _read(fd: int) -> bytes | None:
    """One record, None at the end. A reader that fell behind is told so once (EPIPE) and goes on at the oldest."""
    while True:
        try:
            return os.read(fd, _RECORD_BYTES)
        except BlockingIOError:
            return None
        except BrokenPipeError:
            continue
