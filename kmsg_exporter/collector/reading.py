"""What is stored, newest first: each question has a connection of its own to the collector's file."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_exporter.collector.event import Extent, ReceivedEvent, Sender, StoredEvent
from kmsg_exporter.collector.store import explained

_CURSOR: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
_EVENTS: Final = (
    "SELECT seq, uid, variant, received_unix_ns, time_unix_ns, listed_unix_ns, node, comm, exe, origin, text, "
    "instance, boot_id, sequence, cluster, host_id, version, emptyings, hidden, severe, expected "
    "FROM event JOIN document USING (seq)"
)


@dataclass(frozen=True, slots=True)
class Page:
    """Events newest first; `next_cursor` is where the older ones start, None at the end."""

    events: tuple[ReceivedEvent, ...]
    next_cursor: str | None


class Reading:
    """Questions to the store at `path`, which must be there. Each raises CollectorError when it can't be read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, uid: str) -> ReceivedEvent | None:
        """The first event of this uid, None when there is none."""
        with self._connected() as connection:
            row = connection.execute(f"{_EVENTS} WHERE uid = ? AND variant = 0", (uid,)).fetchone()
        return None if row is None else _received(row)

    def page(self, *, limit: int, before: str | None = None, node: str | None = None, comm: str | None = None) -> Page:
        """At most `limit` events, newest first, older than the cursor `before`. ValueError for a bad cursor."""
        conditions: list[str] = ["1"]
        values: list[int | str] = []
        if before is not None:
            conditions.append("(listed_unix_ns, seq) < (?, ?)")
            values += _cursor_values(before)
        for column, wanted in (("node", node), ("comm", comm)):
            if wanted is not None:
                conditions.append(f"{column} = ?")
                values.append(wanted)
        where = " AND ".join(conditions)
        query = f"{_EVENTS} WHERE {where} ORDER BY listed_unix_ns DESC, seq DESC LIMIT ?"
        with self._connected() as connection:
            rows = connection.execute(query, (*values, limit + 1)).fetchall()
        events = tuple(_received(row) for row in rows[:limit])
        return Page(events, events[-1].cursor if len(rows) > limit else None)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with (
            explained(f"can't read the collector's store {self._path}"),
            closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
        ):
            connection.row_factory = sqlite3.Row
            yield connection


def _received(row: sqlite3.Row) -> ReceivedEvent:
    event = StoredEvent(
        row["uid"],
        row["time_unix_ns"],
        row["node"],
        row["comm"],
        row["exe"],
        row["origin"],
        row["text"],
        Sender(*(row[name] for name in ("instance", "boot_id", "sequence", "cluster", "host_id", "version"))),
        Extent(row["emptyings"], row["hidden"], row["severe"], bool(row["expected"])),
    )
    return ReceivedEvent(event, row["received_unix_ns"], f"{row['listed_unix_ns']}-{row['seq']}", row["variant"])


def _cursor_values(cursor: str) -> list[int]:
    parts = _CURSOR.fullmatch(cursor)
    values = [int(part) for part in parts.groups()] if parts else []
    if not values or max(values) >= 2**63:
        raise ValueError(f"{cursor[:60]!r} is not a cursor that this collector gave")
    return values
