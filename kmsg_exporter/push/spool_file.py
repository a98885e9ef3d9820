"""The spool's file: opening, schema, refusal of a newer one, one writer, setting a corrupt one aside."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from kmsg_exporter.errors import SpoolInUse, SpoolTooNew

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
    (
        "ALTER TABLE event ADD COLUMN aside INTEGER NOT NULL DEFAULT 0",  # the collector refuses it and takes others
        "DROP INDEX event_unsent",
        "CREATE INDEX event_unsent ON event (sequence, stored_unix) WHERE sent_unix IS NULL AND aside = 0",
        "CREATE INDEX event_aside ON event (sequence) WHERE aside = 1",
    ),
)
AGENT_ROW: Final = "SELECT instance_id, sequence, boot_id, visible_from FROM agent"
ASIDE_FILES: Final = 3
_CORRUPT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BUSY_SECONDS: Final = 1.0


def is_corrupt(error: Exception) -> bool:
    """True when the file is not a sound database, in contrast to a disk that is full, gone or read-only."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _CORRUPT


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to the spool at `path`, made or migrated to the schema of this program; 0600 in a 0700 directory.

    Raises OSError and sqlite3.Error when it can't be used, SpoolTooNew when a newer program has written it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 256")
        connection.execute("PRAGMA cache_size = -512")
        connection.text_factory = _text  # SQLite does not notice a flipped bit in a text: who reads it must be able to
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def read_agent_row(path: Path) -> tuple[str, int, str | None, int | None] | None:
    """What a file that can't be written says about the agent; None when it can't be read either."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as ordinary:
        row: tuple[str, int, str | None, int | None] | None = ordinary.execute(AGENT_ROW).fetchone()
        return row
    with suppress(sqlite3.Error):  # a log beside it wants a file of locks, which a read-only disk refuses
        frozen = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        with closing(frozen):
            found: tuple[str, int, str | None, int | None] | None = frozen.execute(AGENT_ROW).fetchone()
            return found
    return None


def hold(path: Path) -> int | None:
    """Be the one writer until the descriptor returned is closed; None where that can't be marked (a read-only disk).

    Raises SpoolInUse.
    """
    lock = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(fd)
        raise SpoolInUse(
            f"another process writes to {path}: stop it first, or give this one another --state-directory"
        ) from exc
    except OSError:  # a file system without locks
        os.close(fd)
        return None
    return fd


def set_aside(path: Path) -> Path:
    """Move a corrupt spool to `NAME.corrupt`, with its log; the last ASIDE_FILES are kept. Raises OSError."""
    names = [path.with_name(f"{path.name}.corrupt{f'.{number}' if number else ''}") for number in range(ASIDE_FILES)]
    for suffix in ("", "-wal", "-shm"):
        for older, newer in zip(reversed(names), [*reversed(names[:-1]), path], strict=True):
            source, target = newer.with_name(newer.name + suffix), older.with_name(older.name + suffix)
            try:
                source.replace(target)
            except FileNotFoundError:
                target.unlink(missing_ok=True)
                if newer == path and not suffix:
                    raise
    return names[0]


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


def file_id(path: Path) -> tuple[int, int] | None:
    """Which file is there; None when none is."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")


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
