"""What the agent's history still has of records that the ring has overwritten."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.why.kmsg import Record, Ring

_SAMPLE: Final = re.compile(r"(?:<(\d{1,4})>)?(?:\[ *(\d{1,10})\.(\d{6})\] )?(.*)", re.DOTALL)


def kept(past: Iterable[Emptied], *, boot_id: str, ring: Ring | None) -> tuple[Record, ...]:
    """Of this boot's samples, what lies before the ring's oldest record; all of it where no ring can be read.

    Lines of a sample carry no number; an event that lies across the ring's begin is divided by time, and lines that
    have no time either by their text.
    """
    before = ring.records[0] if ring is not None and ring.records else None
    still = set() if ring is None else set(_lines(ring))
    found: list[Record] = []
    for event in past:
        first = event.number("kmsg.hidden.first_seq")
        if event.text("kmsg.boot_id") != boot_id:
            continue
        if before is not None and before.seq is not None and first is not None and first >= before.seq:
            continue
        for line in event.texts("kmsg.hidden.sample"):
            record = _record(line)
            if record.usec is None or before is None or before.usec is None:
                gone = record.text not in still
            else:
                gone = record.usec < before.usec
            if gone:
                found.append(record)
    return tuple(sorted(found, key=lambda record: record.usec or 0))


def _lines(ring: Ring) -> Iterator[bytes]:
    """Each text that the ring has, as a sample may have it: whole, or a line of it."""
    for record in ring.records:
        text = record.text.decode(errors="replace").encode()
        yield text
        yield from text.split(b"\n")


def _record(line: str) -> Record:
    match = _SAMPLE.fullmatch(line)
    priority, seconds, usec, text = match.groups() if match else (None, None, None, line)
    return Record(
        text.encode(errors="replace"),
        int(seconds) * 1_000_000 + int(usec) if seconds and usec else None,
        None if priority is None else int(priority),
    )
