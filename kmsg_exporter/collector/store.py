"""The collector's SQLite file: each event once by uid, on disk before anybody is told so, read newest first."""

from __future__ import annotations

import queue
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kmsg_exporter.collector.event import ReceivedEvent, StoredEvent, believed_unix_ns
from kmsg_exporter.errors import CollectorError, StoreTooNew

SCHEMA_VERSION: Final = 1
GROUP_COMMIT_REQUESTS: Final = 64
BUSY_TIMEOUT_SECONDS: Final = 5.0

_CURSOR: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
_SCHEMA: Final = (
    """CREATE TABLE event (
         seq INTEGER PRIMARY KEY,
         uid TEXT NOT NULL UNIQUE,
         received_unix_ns INTEGER NOT NULL,
         time_unix_ns INTEGER,
         listed_unix_ns INTEGER NOT NULL,
         node TEXT NOT NULL,
         comm TEXT NOT NULL,
         exe TEXT NOT NULL,
         origin TEXT NOT NULL,
         document TEXT NOT NULL
       )""",
    "CREATE INDEX event_listed ON event (listed_unix_ns, seq)",
    "CREATE INDEX event_node ON event (node, listed_unix_ns, seq)",
    "CREATE INDEX event_comm ON event (comm, listed_unix_ns, seq)",
)
_COLUMNS: Final = "seq, uid, received_unix_ns, time_unix_ns, listed_unix_ns, node, comm, exe, origin, document"
_INSERT: Final = f"INSERT OR IGNORE INTO event ({_COLUMNS}) VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Page:
    """Events newest first; `next_cursor` is where the older ones start, None at the end."""

    events: tuple[ReceivedEvent, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Write:
    events: Sequence[StoredEvent]
    done: Future[int]


class Store:
    """One writer thread commits what has queued up as one transaction; each read has a connection of its own."""

    def __init__(self, path: Path, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """Open or create the file.

        Raises StoreTooNew for a newer program's file, CollectorError when it can't be opened.
        """
        self.path = path
        self._clock_ns = clock_ns
        with _explained(f"can't open the collector's store {path}"):
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

    def get(self, uid: str) -> ReceivedEvent | None:
        """The event of this uid, None when there is none."""
        with self._reading() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM event WHERE uid = ?", (uid,)).fetchone()  # noqa: S608
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
        query = f"SELECT {_COLUMNS} FROM event WHERE {where} ORDER BY listed_unix_ns DESC, seq DESC LIMIT ?"  # noqa: S608
        with self._reading() as connection:
            rows = connection.execute(query, (*values, limit + 1)).fetchall()
        events = tuple(_received(row) for row in rows[:limit])
        return Page(events, events[-1].cursor if len(rows) > limit else None)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with (
            _explained(f"can't read the collector's store {self.path}"),
            closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
        ):
            yield connection

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
            with _explained(f"can't write to the collector's store {self.path}"), self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                stored = [self._insert(write.events, received) for write in group]
        except BaseException as exc:  # noqa: BLE001 - whoever waits must hear of it, whatever it was
            for write in group:
                write.done.set_exception(exc)
            return
        for write, count in zip(group, stored, strict=True):
            write.done.set_result(count)

    def _insert(self, events: Sequence[StoredEvent], received: int) -> int:
        return sum(self._connection.execute(_INSERT, _row(event, received)).rowcount for event in events)


@contextmanager
def _explained(what: str) -> Iterator[None]:
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


def _row(event: StoredEvent, received: int) -> tuple[object, ...]:
    happened = event.time_unix_ns
    listed = believed_unix_ns(happened, received)
    return (event.uid, received, happened, listed, event.node, event.comm, event.exe, event.origin, event.document)


def _received(row: tuple[int, str, int, int | None, int, str, str, str, str, str]) -> ReceivedEvent:
    seq, uid, received, happened, listed, node, comm, exe, origin, document = row
    event = StoredEvent(uid, happened, node, comm, exe, origin, document)
    return ReceivedEvent(event, received, f"{listed}-{seq}")


def _cursor_values(cursor: str) -> list[int]:
    parts = _CURSOR.fullmatch(cursor)
    values = [int(part) for part in parts.groups()] if parts else []
    if not values or max(values) >= 2**63:
        raise ValueError(f"{cursor[:60]!r} is not a cursor that this collector gave")
    return values
