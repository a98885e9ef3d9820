"""A kernel log with the system calls that /dev/kmsg takes, for where no test may clear the machine's own."""

from __future__ import annotations

import os
import stat
from collections import deque


class FakeKmsg:
    """The ring holds `capacity` records. `stat`, `open`, `read`, `lseek` and `close` are what os has for the device."""

    def __init__(self, capacity: int) -> None:
        self.records: deque[tuple[int, bytes]] = deque(maxlen=capacity)
        self.next_seq = 0
        self.clear_seq = 0
        self._cursors: dict[int, int] = {}

    @property
    def oldest(self) -> int:
        return self.records[0][0] if self.records else self.next_seq

    @property
    def visible_from(self) -> int:
        """The number that the first visible record has or will have."""
        return max(self.clear_seq, self.oldest)

    def print(self, text: bytes | None = None) -> None:
        seq = self.next_seq
        self.records.append((seq, b"6,%d,%d,-;%s\n" % (seq, 1000 * seq, b"line %d" % seq if text is None else text)))
        self.next_seq += 1

    def clear(self) -> bool:
        """Whether it hid something."""
        hides = self.visible_from < self.next_seq
        self.clear_seq = self.next_seq
        return hides

    def stat(self, _path: object) -> os.stat_result:
        fields = [stat.S_IFCHR | 0o644, *[0] * 9]
        return os.stat_result(fields, {"st_rdev": os.makedev(1, 11)})

    def open(self, _path: object, _flags: int) -> int:
        fd = 1000 + len(self._cursors)
        self._cursors[fd] = self.oldest
        return fd

    def close(self, fd: int) -> None:
        del self._cursors[fd]

    def lseek(self, fd: int, offset: int, whence: int) -> int:
        assert offset == 0
        self._cursors[fd] = {os.SEEK_SET: self.oldest, os.SEEK_DATA: self.clear_seq, os.SEEK_END: self.next_seq}[whence]
        return 0

    def read(self, fd: int, size: int) -> bytes:
        found = next((one for one in self.records if one[0] >= self._cursors[fd]), None)
        if found is None:
            raise BlockingIOError
        seq, raw = found
        if seq != self._cursors[fd]:
            self._cursors[fd] = seq
            raise BrokenPipeError
        if len(raw) > size:
            raise OSError(22, "")
        self._cursors[fd] += 1
        return raw

    def open_descriptors(self) -> int:
        return len(self._cursors)
