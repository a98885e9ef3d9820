"""The whole ring through /dev/kmsg in one go: what a clear hides, what is visible, what is gone."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.ring.device import open_kmsg
from kmsg_exporter.ring.devkmsg import DevKmsg

_HEAD: Final = re.compile(rb"(\d{1,10}),(\d{1,20}),(\d{1,20}),([^;\n]*);")
_CALLER: Final = re.compile(rb"(?:^|,)caller=([^,;]*)")
_ESCAPED: Final = re.compile(rb"\\x([0-9a-f]{2})")
_RECORD_BYTES: Final = 16384


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it was printed. `priority` is facility * 8 + level, None where the source did not say.

    `caller` is the thread or CPU that printed it, where the kernel keeps that (CONFIG_PRINTK_CALLER).
    """

    text: bytes
    usec: int | None
    priority: int | None
    seq: int | None = None
    caller: bytes = b""

    @property
    def level(self) -> int | None:
        return None if self.priority is None else self.priority & 7

    @property
    def facility(self) -> int | None:
        return None if self.priority is None else self.priority >> 3


@dataclass(frozen=True, slots=True)
class Ring:
    """The log at one moment. `records` is all that the ring has; from the number `visible_from` on dmesg shows them.

    `oldest` is the number of the first: so many were overwritten since the boot. `torn` counts records that were
    overwritten while this was read.
    """

    records: tuple[Record, ...]
    visible_from: int
    oldest: int
    torn: int = 0

    @property
    def hidden(self) -> tuple[Record, ...]:
        return tuple(record for record in self.records if (record.seq or 0) < self.visible_from)

    @property
    def visible(self) -> tuple[Record, ...]:
        return tuple(record for record in self.records if (record.seq or 0) >= self.visible_from)


def parse(raw: bytes) -> Record:
    """One read of /dev/kmsg. Raises DecodeError. What the kernel escaped is as it was printed."""
    head = _HEAD.match(raw)
    if head is None:
        raise DecodeError(f"not a record of /dev/kmsg: {raw[:60]!r}")
    priority, seq, usec = (int(group) for group in head.groups()[:3])
    caller = _CALLER.search(head[4])
    text = raw[head.end() :].split(b"\n", 1)[0]
    plain = _ESCAPED.sub(lambda match: bytes((int(match[1], 16),)), text)
    return Record(plain, usec, priority, seq, caller[1] if caller else b"")


def read_ring(device: Path) -> Ring:
    """Everything that the ring has now. Raises RingUnavailable.

    It is read as a whole before anybody looks at it: who printed while reading would be overtaken by the writers.
    """
    log = DevKmsg(device, buffer_bytes=None)
    try:
        visible_from = log.look(count_records=True).visible_from or 0
    finally:
        log.close()
    records, torn = _read_all(device)
    # what was printed after the look is visible; without records the ring is empty and begins where the next one will
    oldest = visible_from if not records or records[0].seq is None else records[0].seq
    return Ring(tuple(records), max(visible_from, oldest), oldest, torn)


def _read_all(device: Path) -> tuple[list[Record], int]:
    fd = open_kmsg(device)
    records: list[Record] = []
    torn = 0
    try:
        os.lseek(fd, 0, os.SEEK_SET)
        while True:
            try:
                record = parse(os.read(fd, _RECORD_BYTES))
            except BlockingIOError:
                return records, torn
            except BrokenPipeError:  # overtaken: the next read goes on at the oldest that is left
                continue
            if records and record.seq is not None and records[-1].seq is not None:
                torn += record.seq - records[-1].seq - 1
            records.append(record)
    finally:
        os.close(fd)
