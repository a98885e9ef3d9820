"""The tables of the collector's file, and how an older file becomes one of this program's."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from kmsg_exporter.collector.decode import content_digest, extent_of, sender_of
from kmsg_exporter.errors import CollectorError, StoreTooNew

STORE_NAME: Final = "events.sqlite3"
SCHEMA_VERSION: Final = 3
MIGRATION_STEP: Final = 500
_PROGRESS_SECONDS: Final = 5.0
_CORRUPT: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

_log = logging.getLogger(__name__)

# The first version's table has all in one; `agent` and `stream` are one row for each agent, and for each of its boots.
_SCHEMA: Final = (
    """CREATE TABLE event (
         seq INTEGER PRIMARY KEY,
         uid TEXT NOT NULL,
         variant INTEGER NOT NULL,
         digest BLOB NOT NULL,
         received_unix_ns INTEGER NOT NULL,
         time_unix_ns INTEGER,
         listed_unix_ns INTEGER NOT NULL,
         node TEXT NOT NULL,
         comm TEXT NOT NULL,
         exe TEXT NOT NULL,
         origin TEXT NOT NULL,
         instance TEXT NOT NULL,
         boot_id TEXT NOT NULL,
         sequence INTEGER,
         cluster TEXT NOT NULL,
         host_id TEXT NOT NULL,
         version TEXT NOT NULL,
         emptyings INTEGER NOT NULL,
         hidden INTEGER,
         severe INTEGER NOT NULL,
         expected INTEGER NOT NULL,
         bytes INTEGER NOT NULL,
         UNIQUE (uid, variant)
       )""",
    # apart, so that whoever counts events reads nothing of this
    "CREATE TABLE document (seq INTEGER PRIMARY KEY, text TEXT NOT NULL)",
    """CREATE TABLE agent (
         instance TEXT PRIMARY KEY,
         cluster TEXT NOT NULL,
         node TEXT NOT NULL,
         host_id TEXT NOT NULL,
         version TEXT NOT NULL,
         first_seen_unix_ns INTEGER NOT NULL,
         last_seen_unix_ns INTEGER NOT NULL,
         hello_unix_ns INTEGER
       )""",
    """CREATE TABLE stream (
         instance TEXT NOT NULL,
         boot_id TEXT NOT NULL,
         first_sequence INTEGER NOT NULL,
         last_sequence INTEGER NOT NULL,
         stored INTEGER NOT NULL,
         PRIMARY KEY (instance, boot_id)
       )""",
    "CREATE INDEX agent_last_seen ON agent (last_seen_unix_ns)",
)
# The last seq that was given to an event that is gone: none is given twice, or who follows the arrivals would miss one.
_GONE: Final = ("CREATE TABLE gone (last_seq INTEGER NOT NULL)", "INSERT INTO gone VALUES (0)")
LAST_SEQ: Final = "SELECT max((SELECT coalesce(max(seq), 0) FROM event), last_seq) FROM gone"
# Made last, so that a migration fills tables without them. The first and the last have all that is counted over time,
# and by who did it where: nothing else is read for that.
_INDEXES: Final = (
    "CREATE INDEX IF NOT EXISTS event_listed ON event (listed_unix_ns, seq, severe, expected, emptyings)",
    "CREATE INDEX IF NOT EXISTS event_node ON event (node, listed_unix_ns, seq)",
    "CREATE INDEX IF NOT EXISTS event_told "
    "ON event (comm, exe, origin, node, cluster, listed_unix_ns, severe, expected, emptyings)",
)
COLUMNS: Final = (
    "seq", "uid", "variant", "digest", "received_unix_ns", "time_unix_ns", "listed_unix_ns", "node", "comm", "exe",
    "origin", "instance", "boot_id", "sequence", "cluster", "host_id", "version", "emptyings", "hidden", "severe",
    "expected", "bytes",
)  # fmt: skip
INSERT_EVENT: Final = f"INSERT INTO event ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
INSERT_DOCUMENT: Final = "INSERT INTO document VALUES (?, ?)"
_INSERT_OLD: Final = f"INSERT INTO event ({', '.join(COLUMNS)}) VALUES (:{', :'.join(COLUMNS)})"  # noqa: S608


@contextmanager
def explained(what: str, *, otherwise: str = "") -> Iterator[None]:
    """CollectorError for whatever the file refuses, with what to do; `otherwise` where it is not the file's fault."""
    try:
        yield
    except (sqlite3.Error, OSError) as exc:
        code = getattr(exc, "sqlite_errorcode", None)
        remedy = otherwise and f": {otherwise}"
        if code is not None and code & 0xFF in _CORRUPT:
            remedy = (
                ": it is damaged: stop the collector, move the file and those beside it that begin with its name "
                "away, put a backup in its place if there is one, and start again"
            )
        elif code is not None and code & 0xFF == sqlite3.SQLITE_FULL:
            remedy = ": make room on that disk, or keep less with --collector.max-bytes"
        reason = f"{exc.filename}: {exc.strerror}" if isinstance(exc, OSError) and exc.filename else str(exc)
        raise CollectorError(f"{what}: {reason}{remedy}") from exc


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make or migrate the tables. Raises StoreTooNew and sqlite3.Error."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"the collector's store {path} has schema version {version}, this program knows {SCHEMA_VERSION}: "
            "run the newer program, or give this one another data directory"
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    if version < SCHEMA_VERSION:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            if version == 1:
                connection.execute("ALTER TABLE event RENAME TO event_1")
                for index in ("event_listed", "event_node", "event_comm"):
                    connection.execute(f"DROP INDEX {index}")
            for statement in (*(_SCHEMA if version < 2 else ()), *_GONE):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'event_1'").fetchone():
        _migrate(connection, path)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for statement in _INDEXES:
            connection.execute(statement)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Move the first version's events over, some at a time: killed in the middle, the next start goes on."""
    (left,) = connection.execute("SELECT count(*) FROM event_1").fetchone()
    _log.info("the collector's store %s is of an older version: %d events are moved to the new tables", path, left)
    told = time.monotonic()
    while True:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = connection.execute(
                "SELECT seq, uid, received_unix_ns, time_unix_ns, listed_unix_ns, node, comm, exe, origin, document "
                "FROM event_1 ORDER BY seq LIMIT ?",
                (MIGRATION_STEP,),
            ).fetchall()
            if not rows:
                connection.execute("DROP TABLE event_1")
                break
            connection.executemany(_INSERT_OLD, [_moved(row) for row in rows])
            connection.executemany(INSERT_DOCUMENT, [(row[0], row[-1]) for row in rows])
            connection.execute("DELETE FROM event_1 WHERE seq <= ?", (rows[-1][0],))
        left -= len(rows)
        if time.monotonic() - told > _PROGRESS_SECONDS:
            told = time.monotonic()
            _log.info("%d events are still to be moved", left)
    _log.info("all events were moved")


def _moved(row: tuple[Any, ...]) -> dict[str, object]:
    """A row of the first version with the new columns, read from its document."""
    seq, uid, received, happened, listed, node, comm, exe, origin, text = row
    document = json.loads(text)
    resource, attributes = document["resource"], document["attributes"]
    return {
        "seq": seq,
        "uid": uid,
        "variant": 0,
        "digest": content_digest(happened, document),
        "received_unix_ns": received,
        "time_unix_ns": happened,
        "listed_unix_ns": listed,
        "node": node,
        "comm": comm,
        "exe": exe,
        "origin": origin,
        "bytes": len(text.encode()),
        **asdict(sender_of(resource, attributes)),
        **asdict(extent_of(attributes)),
    }
