"""Room in the spool's file: what goes when it is full. Oldest first, what was sent or set aside before what waits."""

from __future__ import annotations

import sqlite3
from typing import Final

_OF_ONE_EVENT: Final = 4  # pages that an event may take beside its record: a row's rest, indexes, a split


def prune(db: sqlite3.Connection, max_bytes: int) -> int:
    """Make the pages in use fit `max_bytes`, never giving up the newest event. Returns how many that waited went."""
    page_size, dropped = _pragma(db, "page_size"), 0
    while page_size * (_pragma(db, "page_count") - _pragma(db, "freelist_count")) > max_bytes:
        if _delete_oldest(db, "sent_unix IS NOT NULL OR aside = 1"):
            continue
        if not _delete_oldest(db, "sent_unix IS NULL AND aside = 0"):
            break
        dropped += 1
    return dropped


def delete_history(db: sqlite3.Connection, wanted_bytes: int) -> None:
    """Free pages for `wanted_bytes` within the file, as far as history goes: what waits is safer here."""
    wanted = wanted_bytes // _pragma(db, "page_size") + _OF_ONE_EVENT
    while _pragma(db, "freelist_count") < wanted and _delete_oldest(db, "sent_unix IS NOT NULL OR aside = 1"):
        pass


def _delete_oldest(db: sqlite3.Connection, which: str) -> bool:
    deleted = db.execute(
        f"DELETE FROM event WHERE sequence = (SELECT sequence FROM event WHERE ({which}) "  # noqa: S608
        "AND sequence < (SELECT max(sequence) FROM event) ORDER BY sequence LIMIT 1)"
    ).rowcount
    return deleted > 0


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
