"""The spool's file: opening, schema, refusal of a newer one, setting a corrupt one aside."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kmsg_exporter.errors import SpoolTooNew

# One entry for each schema version: what leads to it from the one before. `PRAGMA user_version` is how many were done.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE agent (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            instance_id TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            boot_id TEXT,
            visible_from INTEGER
        )""",
        """CREATE TABLE event (
            sequence INTEGER PRIMARY KEY,
            uid TEXT NOT NULL UNIQUE,
            stored_unix REAL NOT NULL,
            sent_unix REAL,
            record TEXT NOT NULL
        )""",
        "CREATE INDEX event_unsent ON event (sequence, stored_unix) WHERE sent_unix IS NULL",
    ),
)
_CORRUPT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY_SECONDS: Final = 1.0


def is_corrupt(error: sqlite3.Error) -> bool:
    """True when the file is not a sound database, in contrast to a disk that is full, gone or read-only."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _CORRUPT


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to the spool at `path`, made or migrated to the schema of this program; 0600 in a 0700 directory.

    Raises OSError and sqlite3.Error when it can't be used, SpoolTooNew when a newer program has written it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return _prepared(sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS), path)


def open_memory() -> sqlite3.Connection:
    """The same in memory, for a node whose state directory can't be written."""
    return _prepared(sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False), Path(":memory:"))


def set_aside(path: Path) -> Path:
    """Move a corrupt spool to `NAME.corrupt`, with its log; an older one there is replaced. Raises OSError."""
    aside = path.with_name(f"{path.name}.corrupt")
    path.replace(aside)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).replace(aside.with_name(aside.name + suffix))
    return aside


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing of it, on disk when it is left."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _prepared(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 256")
        connection.execute("PRAGMA cache_size = -512")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise SpoolTooNew(
            f"{path} has schema version {version}, this program knows versions up to {len(MIGRATIONS)}: "
            "run the newer program that wrote it, or move the file away (events in it that were not sent stay unsent)"
        )
    if version == len(MIGRATIONS):
        return
    with transaction(connection):
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
