"""What one look at the log tells, whichever way it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kmsg_exporter.model import LogRecord, RingState


@dataclass(frozen=True, slots=True)
class Look:
    """The log now, against the look before.

    `jumped` says that a clear hid something in between. `first_seq` up to `end_seq` (not included) are the records
    that it hid, None where they have no numbers. `visible_from` is the number that the next visible record has or will
    have, None likewise.
    """

    state: RingState
    jumped: bool
    first_seq: int | None = None
    end_seq: int | None = None
    visible_from: int | None = None


class Ring(Protocol):
    """A way to see the log that disturbs no reader: it consumes nothing and clears nothing."""

    def look(self, *, count_records: bool) -> Look:
        """Compare the log with the look before. With `count_records` also bring the number of records up to date."""

    def hidden(self, look: Look) -> tuple[LogRecord, ...]:
        """The records that the clear behind `look` hid and that can still be had, in log order."""

    def resume(self, visible_from: int) -> None:
        """Take the next look against a position that was kept from an earlier life of this boot."""

    def close(self) -> None:
        """Give up the descriptors."""
