"""The spool: events wait here until the collector has them, and stay as the node's own history."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from kmsg_exporter.errors import SpoolError
from kmsg_exporter.push.otlp import dump
from kmsg_exporter.push.spool_file import is_corrupt, open_file, open_memory, set_aside, transaction
from kmsg_exporter.push.uid import UidSource

_log = logging.getLogger(__name__)

DEFAULT_MAX_BYTES: Final = 64 << 20
MEMORY_MAX_BYTES: Final = 4 << 20
_COLUMNS: Final = "sequence, uid, stored_unix, sent_unix, record"

Render = Callable[[str, int], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class RingPosition:
    """Where the log stood: the sequence number of the first visible record, in which boot.

    None where an emptying was told by an agent that saw no numbers: what came before is told, and nobody knows where
    it ends.
    """

    boot_id: str
    visible_from: int | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it is stored. `record` is an OTLP LogRecord as JSON, `sent_unix` is None while it waits."""

    sequence: int
    uid: str
    stored_unix: float
    sent_unix: float | None
    record: str


@dataclass(frozen=True, slots=True)
class SpoolState:
    """The queue in numbers.

    `dropped_total` by reason: `spool_full` counts events that were never sent, `spool_corrupt` files set aside.
    """

    queue_events: int = 0
    queue_oldest_unix: float | None = None
    dropped_total: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Agent:
    """The one row about the agent itself."""

    instance_id: str
    sequence: int = 0
    position: RingPosition | None = None


class Spool:
    """A queue in an SQLite file, for one process and any of its threads.

    Every change is made in memory first and settled on disk in one transaction before the call returns. While the
    disk refuses (full, read-only, failing) changes wait in memory, `durable` is False, and the next change settles
    them too. A file that can't be opened at all is replaced by memory; a corrupt one is set aside.
    """

    def __init__(
        self, path: Path, *, max_bytes: int = DEFAULT_MAX_BYTES, clock: Callable[[], float] = time.time
    ) -> None:
        """Raises SpoolTooNew. `max_bytes` bounds the pages in use; the write-ahead log adds about 1 MiB."""
        self.path = path
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.RLock()
        self._uids = UidSource(lambda: int(clock() * 1e9))
        self._late: list[StoredEvent] = []
        self._late_marks: dict[str, float] = {}
        self._waiting: tuple[int, float | None] = (0, None)
        self._dropped = {"spool_full": 0, "spool_corrupt": 0}
        self._agent: _Agent | None = None
        self._closed = False
        self._on_disk = True
        self.durable = True
        self.state = SpoolState()
        self._db = self._open()
        self._settle()

    def close(self) -> None:
        """Afterwards every call raises SpoolError. Closing twice does no harm."""
        with self._lock:
            if not self._closed and self._late:
                self._settle()
            self._closed = True
            self._db.close()

    @property
    def instance_id(self) -> str:
        """A UUID made once for each state directory."""
        return self._known().instance_id

    def load_position(self) -> RingPosition | None:
        """Where the ring stood when the last event was stored; None on a new node."""
        return self._known().position

    def append(self, render: Render, *, position: RingPosition | None = None) -> StoredEvent:
        """Store one event together with the ring position that it explains: on disk when this returns, if `durable`.

        `render(uid, sequence)` gives the OTLP LogRecord; what it raises is raised here, and nothing is stored then.
        """
        with self._lock:
            agent = self._known()
            sequence, uid, now = agent.sequence + 1, self._uids.next(), self._clock()
            event = StoredEvent(sequence, uid, now, None, dump(render(uid, sequence)).decode())
            self._agent = replace(agent, sequence=sequence, position=position or agent.position)
            self._late.append(event)
            self._settle()
            return event

    def unsent(self, limit: int = 64, max_bytes: int = 512 << 10) -> list[StoredEvent]:
        """The oldest events that wait, as many as `max_bytes` of records allow, and one at least if there is any."""
        with self._lock:
            rows = self._select("WHERE sent_unix IS NULL ORDER BY sequence LIMIT ?", limit + len(self._late_marks))
            batch: list[StoredEvent] = []
            for event in [row for row in rows if row.uid not in self._late_marks] + self._late:
                if event.sent_unix is None and len(batch) < limit:
                    max_bytes -= len(event.record)
                    if batch and max_bytes < 0:
                        break
                    batch.append(event)
            return batch

    def mark_sent(self, uids: Collection[str], now: float) -> None:
        """The collector has them. Unknown uids (dropped in the meantime) are ignored."""
        with self._lock:
            self._known()
            late = {event.uid for event in self._late}
            self._late = [replace(event, sent_unix=now) if event.uid in uids else event for event in self._late]
            self._late_marks.update((uid, now) for uid in uids if uid not in late)
            self._settle()

    def history(self, limit: int = 100) -> list[StoredEvent]:
        """The newest events, sent or not, newest first."""
        with self._lock:
            rows = self._select("ORDER BY sequence DESC LIMIT ?", limit)
            stored = [replace(row, sent_unix=row.sent_unix or self._late_marks.get(row.uid)) for row in rows]
            return [*reversed(self._late), *stored][:limit]

    def _known(self) -> _Agent:
        if self._closed or self._agent is None:
            raise SpoolError(f"the spool {self.path} is closed")
        return self._agent

    def _open(self) -> sqlite3.Connection:
        """The file; a fresh one where it is corrupt, memory where it can't be had."""
        try:
            return self._begin(open_file(self.path))
        except (OSError, sqlite3.Error) as exc:
            if isinstance(exc, sqlite3.Error) and is_corrupt(exc):
                return self._afresh(exc)
            return self._in_memory(exc)

    def _afresh(self, corrupt: sqlite3.Error) -> sqlite3.Connection:
        self._dropped["spool_corrupt"] += 1
        try:
            aside = set_aside(self.path)
            _log.error("the spool %s is corrupt (%s): kept as %s, begun afresh", self.path, corrupt, aside)
            return self._begin(open_file(self.path))
        except (OSError, sqlite3.Error) as exc:
            return self._in_memory(exc)

    def _in_memory(self, exc: Exception) -> sqlite3.Connection:
        self._refused(exc)
        self._on_disk = False
        self._max_bytes = min(self._max_bytes, MEMORY_MAX_BYTES)
        return self._begin(open_memory())

    def _begin(self, db: sqlite3.Connection) -> sqlite3.Connection:
        """Learn from it who the agent is, unless that is known already."""
        try:
            row = db.execute("SELECT instance_id, sequence, boot_id, visible_from FROM agent").fetchone()
        except sqlite3.Error:
            db.close()
            raise
        if self._agent is None and row is not None:
            instance_id, sequence, boot_id, visible_from = row
            self._agent = _Agent(instance_id, sequence, RingPosition(boot_id, visible_from) if boot_id else None)
        elif self._agent is None:
            self._agent = _Agent(str(uuid.uuid4()))
        return db

    def _select(self, where: str, limit: int) -> list[StoredEvent]:
        self._known()
        try:
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM event {where}", (limit,)).fetchall()  # noqa: S608
        except sqlite3.Error as exc:
            if is_corrupt(exc):
                self._replace_corrupt(exc)
                self._settle()
            else:
                self._refused(exc)
            return []
        return [StoredEvent(*row) for row in rows]

    def _settle(self) -> None:
        """Put what waits in memory on disk; after it `state` is current, also when that failed."""
        try:
            try:
                dropped = self._write()
            except sqlite3.Error as exc:
                if not is_corrupt(exc):
                    raise
                self._replace_corrupt(exc)
                dropped = self._write()
        except sqlite3.Error as exc:
            self._refused(exc)
            self._trim_late()
        else:
            self._late, self._late_marks = [], {}
            self._dropped["spool_full"] += dropped
            if self._on_disk and not self.durable:
                _log.info("the spool %s can be written again", self.path)
            self.durable = self._on_disk
        stored, oldest = self._waiting
        late = [event.stored_unix for event in self._late if event.sent_unix is None]
        stored = max(0, stored - len(self._late_marks))
        self.state = SpoolState(
            queue_events=stored + len(late),
            queue_oldest_unix=oldest if stored > 0 else min(late, default=None),
            dropped_total=MappingProxyType(dict(self._dropped)),
        )

    def _write(self) -> int:
        """One transaction. Returns how many events that were never sent went to make room."""
        agent = self._known()
        place = (agent.position.boot_id, agent.position.visible_from) if agent.position else (None, None)
        with transaction(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO agent VALUES (1, ?, ?, ?, ?)", (agent.instance_id, agent.sequence, *place)
            )
            self._db.executemany(
                f"INSERT INTO event ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608
                [(e.sequence, e.uid, e.stored_unix, e.sent_unix, e.record) for e in self._late],
            )
            self._db.executemany(
                "UPDATE event SET sent_unix = ? WHERE uid = ?", [(at, uid) for uid, at in self._late_marks.items()]
            )
            dropped = self._prune()
            waiting = self._db.execute(
                "SELECT count(*), min(stored_unix) FROM event WHERE sent_unix IS NULL"
            ).fetchone()
        self._waiting = waiting
        return dropped

    def _prune(self) -> int:
        """Oldest sent first, then oldest unsent, never the newest. Returns the count of unsent ones."""
        page_size, dropped = self._pragma("page_size"), 0
        while page_size * (self._pragma("page_count") - self._pragma("freelist_count")) > self._max_bytes:
            for wanted in ("sent_unix IS NOT NULL", "sent_unix IS NULL"):
                deleted = self._db.execute(
                    f"DELETE FROM event WHERE sequence = (SELECT sequence FROM event WHERE {wanted} "  # noqa: S608
                    "AND sequence < (SELECT max(sequence) FROM event) ORDER BY sequence LIMIT 1)"
                ).rowcount
                if deleted:
                    break
            else:
                break
            dropped += wanted == "sent_unix IS NULL"
        return dropped

    def _pragma(self, name: str) -> int:
        return int(self._db.execute(f"PRAGMA {name}").fetchone()[0])

    def _trim_late(self) -> None:
        """The same order in memory, where events wait for the disk."""
        while len(self._late) > 1 and sum(len(event.record) for event in self._late) > MEMORY_MAX_BYTES:
            victim = next((e for e in self._late if e.sent_unix is not None), self._late[0])
            self._late.remove(victim)
            self._dropped["spool_full"] += victim.sent_unix is None

    def _replace_corrupt(self, exc: sqlite3.Error) -> None:
        self._db.close()
        self._db = self._afresh(exc)

    def _refused(self, exc: Exception) -> None:
        if self.durable:
            _log.warning(
                "the spool %s can't be written (%s): events are kept in memory and would be lost with this process; "
                "make room on that disk, or make it writable",
                self.path,
                exc,
            )
        self.durable = False
