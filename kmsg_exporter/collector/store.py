"""The collector's SQLite file: each event once by uid, on disk before anybody is told so."""

from __future__ import annotations

import hashlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kmsg_exporter.collector.event import StoredEvent, believed_unix_ns
from kmsg_exporter.errors import CollectorError, StoreTooNew

SCHEMA_VERSION: Final = 2
GROUP_COMMIT_REQUESTS: Final = 64
BUSY_TIMEOUT_SECONDS: Final = 5.0

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
    # the first and the last have all that is counted over time, and by who did it where: nothing else is read for that
    "CREATE INDEX event_listed ON event (listed_unix_ns, seq, severe, expected, emptyings)",
    "CREATE INDEX event_node ON event (node, listed_unix_ns, seq)",
    "CREATE INDEX event_told ON event (comm, exe, origin, node, cluster, listed_unix_ns, severe, expected, emptyings)",
)
_COLUMNS: Final = (
    "uid, variant, digest, received_unix_ns, time_unix_ns, listed_unix_ns, node, comm, exe, origin, instance, boot_id, "
    "sequence, cluster, host_id, version, emptyings, hidden, severe, expected, bytes"
)
_INSERT: Final = (
    f"INSERT OR IGNORE INTO event ({_COLUMNS}) "  # noqa: S608
    f"VALUES (:{_COLUMNS.replace(', ', ', :')}) RETURNING seq"
)


@dataclass(frozen=True, slots=True)
class _Write:
    events: Sequence[StoredEvent]
    done: Future[int]


class Store:
    """One writer thread commits what has queued up as one transaction; reading.py reads."""

    def __init__(self, path: Path, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """Open or create the file.

        Raises StoreTooNew for a newer program's file, CollectorError when it can't be opened.
        """
        self.path = path
        self._clock_ns = clock_ns
        with explained(f"can't open the collector's store {path}"):
            self._connection = _connect(path)
            try:
                _prepare(self._connection, path)
            except BaseException:
                self._connection.close()
                raise
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_loop, name="collector-store", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what was queued, then close. Nothing may be added any more."""
        self._writes.put(None)
        self._writer.join()
        self._connection.close()

    def add(self, events: Sequence[StoredEvent]) -> Future[int]:
        """Queue events for the next commit. The future is done when they are on disk: how many were new.

        It raises CollectorError when they could not be stored; then none of them is.
        """
        done: Future[int] = Future()
        self._writes.put(_Write(events, done))
        return done

    def _write_loop(self) -> None:
        stopping = False
        while not stopping:
            first = self._writes.get()
            if first is None:
                return
            group = [first]
            while len(group) < GROUP_COMMIT_REQUESTS and not stopping:
                try:
                    write = self._writes.get_nowait()
                except queue.Empty:
                    break
                if write is None:
                    stopping = True
                else:
                    group.append(write)
            self._commit([write for write in group if write.done.set_running_or_notify_cancel()])

    def _commit(self, group: Sequence[_Write]) -> None:
        received = self._clock_ns()
        try:
            with explained(f"can't write to the collector's store {self.path}"), self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                stored = [self._insert(write.events, received) for write in group]
        except BaseException as exc:  # noqa: BLE001 - whoever waits must hear of it, whatever it was
            for write in group:
                write.done.set_exception(exc)
            return
        for write, count in zip(group, stored, strict=True):
            write.done.set_result(count)

    def _insert(self, events: Sequence[StoredEvent], received: int) -> int:
        return sum(self._insert_one(event, received) for event in events)

    def _insert_one(self, event: StoredEvent, received: int) -> bool:
        row = self._connection.execute(_INSERT, _row(event, received)).fetchone()
        if row is not None:
            self._connection.execute("INSERT INTO document VALUES (?, ?)", (row[0], event.document))
        return row is not None


@contextmanager
def explained(what: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as exc:
        raise CollectorError(f"{what}: {exc}") from exc


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The writer thread is the only user after __init__, hence check_same_thread=False.
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"the collector's store {path} has schema version {version}, this program knows {SCHEMA_VERSION}: "
            "run the newer program, or give this one another data directory"
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone() == (0,):
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _row(event: StoredEvent, received: int) -> dict[str, object]:
    document = event.document.encode()
    return {
        "uid": event.uid,
        "variant": 0,
        "digest": hashlib.sha256(document).digest()[:16],
        "received_unix_ns": received,
        "time_unix_ns": event.time_unix_ns,
        "listed_unix_ns": believed_unix_ns(event.time_unix_ns, received),
        "node": event.node,
        "comm": event.comm,
        "exe": event.exe,
        "origin": event.origin,
        "bytes": len(document),
        **asdict(event.sender),
        **asdict(event.extent),
    }
