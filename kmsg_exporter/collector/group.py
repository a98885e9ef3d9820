"""The events of one transaction: which of them are new, and the rows they become, each table written at once."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kmsg_exporter.collector.event import StoredEvent, believed_unix_ns
from kmsg_exporter.collector.schema import INSERT_DOCUMENT, INSERT_EVENT

MAX_VARIANTS: Final = 8
_KNOWN: Final = "SELECT uid, digest, variant FROM event WHERE uid IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of events: new ones, ones stored before, ones stored beside another of their uid, too many of these.

    `surplus` is not kept; the others are.
    """

    stored: int = 0
    duplicates: int = 0
    conflicting: int = 0
    surplus: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.conflicting + other.conflicting,
            self.surplus + other.surplus,
        )


NONE: Final = Outcome()
STORED: Final = Outcome(stored=1)
_DUPLICATE: Final = Outcome(duplicates=1)
_CONFLICTING: Final = Outcome(conflicting=1)
_SURPLUS: Final = Outcome(surplus=1)


class Group:
    """Numbers what is new from `seq` on, which is the last number that was ever given."""

    def __init__(
        self, connection: sqlite3.Connection, events: Iterable[StoredEvent], *, seq: int, received_unix_ns: int
    ) -> None:
        self.seq = seq
        self._connection = connection
        self._received = received_unix_ns
        self._rows: list[tuple[object, ...]] = []
        self._documents: list[tuple[int, str]] = []
        self._known: dict[str, list[tuple[bytes, int]]] = {}
        uids = json.dumps([event.uid for event in events])
        for uid, digest, variant in connection.execute(_KNOWN, (uids,)):
            self._known.setdefault(uid, []).append((digest, variant))

    def add(self, event: StoredEvent) -> Outcome:
        document = event.document.encode()
        digest = event.digest or hashlib.sha256(document).digest()[:16]
        known = self._known.setdefault(event.uid, [])
        if any(digest == other for other, _ in known):
            return _DUPLICATE
        if len(known) >= MAX_VARIANTS:
            return _SURPLUS
        variant = max((variant for _, variant in known), default=-1) + 1
        known.append((digest, variant))
        self.seq += 1
        self._rows.append(self._row(event, variant, digest, len(document)))
        self._documents.append((self.seq, event.document))
        return _CONFLICTING if variant else STORED

    def write(self) -> None:
        self._connection.executemany(INSERT_EVENT, self._rows)
        self._connection.executemany(INSERT_DOCUMENT, self._documents)

    def _row(self, event: StoredEvent, variant: int, digest: bytes, size: int) -> tuple[object, ...]:
        """In the order of schema.COLUMNS."""
        sender, extent, received = event.sender, event.extent, self._received
        happened, listed = event.time_unix_ns, believed_unix_ns(event.time_unix_ns, received)
        return (
            *(self.seq, event.uid, variant, digest, received, happened, listed),
            *(event.node, event.comm, event.exe, event.origin, sender.instance, sender.boot_id, sender.sequence),
            *(sender.cluster, sender.host_id, sender.version),
            *(extent.emptyings, extent.hidden, extent.severe, extent.expected, size),
        )
