"""The spool: events wait here until the collector has them, and stay as the node's own history."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from kmsg_exporter.errors import SpoolError
from kmsg_exporter.push import reserve
from kmsg_exporter.push.identity import Identity, RingPosition
from kmsg_exporter.push.otlp import dump
from kmsg_exporter.push.spool_file import (
    AGENT_ROW,
    file_id,
    hold,
    is_corrupt,
    open_file,
    read_agent_row,
    set_aside,
    transaction,
)
from kmsg_exporter.push.spool_room import delete_history, prune
from kmsg_exporter.push.uid import UidSource
from kmsg_exporter.push.witness import Witness

_log = logging.getLogger(__name__)

DEFAULT_MAX_BYTES: Final = 64 << 20
MEMORY_MAX_BYTES: Final = 4 << 20
_COLUMNS: Final = "sequence, uid, stored_unix, sent_unix, record, aside"
_WAITS: Final = "sent_unix IS NULL AND aside = 0"
_AMONG: Final = "uid IN (SELECT value FROM json_each(?))"
_MAX_ASIDE: Final = 4096
_CLOSE_SECONDS: Final = 2.0

Render = Callable[[str, int], Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it is stored. `record` is an OTLP LogRecord as JSON, `sent_unix` is None while it waits.

    `aside`: the collector refuses it, and it does not wait any more. `sequence` is its place in the queue: the number
    that it was given, or a later one where that was taken.
    """

    sequence: int
    uid: str
    stored_unix: float
    sent_unix: float | None
    record: str
    aside: bool = False

    @property
    def waits(self) -> bool:
        return self.sent_unix is None and not self.aside


@dataclass(frozen=True, slots=True)
class SpoolState:
    """The queue in numbers.

    `dropped_total` by reason: `spool_full` counts events that were never sent, `refused` events that were set aside,
    `spool_corrupt` files that were.
    """

    queue_events: int = 0
    queue_oldest_unix: float | None = None
    dropped_total: Mapping[str, int] = field(default_factory=dict)


class Spool:
    """A queue in an SQLite file, for one process and any of its threads.

    Every change is made in memory first and settled on disk in one transaction before the call returns. While the
    disk refuses (full, read-only, failing) changes wait in memory, `durable` is False, and the next change or `settle`
    settles them too. A full disk first gets the reserve, and what is history makes room. A corrupt file is set aside.
    One that was removed or replaced under it is begun afresh, with what waits in it.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        clock: Callable[[], float] = time.time,
        witness: Witness | None = None,
    ) -> None:
        """Raises SpoolTooNew and SpoolInUse.

        `max_bytes` bounds the pages in use; the write-ahead log adds about 1 MiB, the reserve at most 2 MiB.
        """
        self.path = path
        self._max_bytes = max_bytes
        self._clock = clock
        self._witness = witness
        self._reserve = reserve.Reserve(
            path.with_name(f"{path.name}.reserve"), min(reserve.MAX_BYTES, max(max_bytes // 8, 1))
        )
        self._lock = threading.RLock()
        self._uids = UidSource(lambda: int(clock() * 1e9))
        self._late: list[StoredEvent] = []
        self._late_marks: dict[str, float] = {}
        self._late_asides: set[str] = set()
        self._waiting: tuple[int, float | None] = (0, None)
        self._dropped = {"spool_full": 0, "spool_corrupt": 0, "refused": 0}
        self._closed = False
        self.durable = True
        self.state = SpoolState()
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._holder = hold(path)
        try:
            self._agent = self._identified()
            self._told = self._agent.position
            self._settle()
        except BaseException:
            self._let_go()
            raise

    def close(self) -> None:
        """Afterwards every call raises SpoolError. Closing twice does no harm. A disk that hangs is left behind."""
        if not self._lock.acquire(timeout=_CLOSE_SECONDS):
            _log.warning(
                "the spool %s is still being written: its disk takes too long, it is not waited for", self.path
            )
            return
        try:
            if not self._closed and (self._late or self._late_marks or self._late_asides):
                self._settle()
            self._closed = True
            self._let_go()
        finally:
            self._lock.release()

    @property
    def instance_id(self) -> str:
        """A UUID made once for each state directory."""
        return self._known().instance_id

    @property
    def last_sequence(self) -> int:
        """The last number that was given to an event; 0 before the first."""
        return self._known().sequence

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

    def unsent(
        self, limit: int = 64, max_bytes: int = 512 << 10, *, without: Collection[str] = ()
    ) -> list[StoredEvent]:
        """The oldest events that wait, as many as `max_bytes` of records allow, and one at least if there is any."""
        with self._lock:
            gone = {*self._late_marks, *self._late_asides, *without}
            rows = self._select(f"WHERE {_WAITS} AND NOT {_AMONG} ORDER BY sequence LIMIT ?", _listed(gone), limit)
            batch: list[StoredEvent] = []
            for event in rows + self._late:
                if event.waits and event.uid not in gone and len(batch) < limit:
                    max_bytes -= len(event.record)
                    if batch and max_bytes < 0:
                        break
                    batch.append(event)
            return batch

    def find(self, uid: str) -> StoredEvent | None:
        """One event, sent or not; None when it went to make room."""
        with self._lock:
            late = (event for event in self._late if event.uid == uid)
            return next(late, None) or next(iter(self._marked(self._select("WHERE uid = ?", uid))), None)

    def mark_sent(self, uids: Collection[str], now: float) -> None:
        """The collector has them. Unknown uids (dropped in the meantime) are ignored."""
        with self._lock:
            self._known()
            late = {event.uid for event in self._late}
            self._late = [
                replace(event, sent_unix=now, aside=False) if event.uid in uids else event for event in self._late
            ]
            self._late_marks.update((uid, now) for uid in uids if uid not in late)
            self._late_asides.difference_update(uids)
            self._settle()

    def set_aside(self, uid: str) -> None:
        """The collector refuses this one: it stays as history, marked, and does not wait any more."""
        with self._lock:
            self._known()
            if uid in {event.uid for event in self._late}:
                self._late = [replace(event, aside=True) if event.uid == uid else event for event in self._late]
            else:
                self._late_asides.add(uid)
            self._dropped["refused"] += 1
            self._settle()

    def set_aside_uids(self) -> list[str]:
        """What was set aside and never sent, oldest first."""
        with self._lock:
            which = f"aside = 1 AND NOT {_AMONG} OR {_AMONG} ORDER BY sequence LIMIT ?"
            asked = _listed(self._late_marks), _listed(self._late_asides), _MAX_ASIDE
            rows = self._query(f"SELECT uid FROM event WHERE {which}", *asked)  # noqa: S608
            return [uid for (uid,) in rows] + [event.uid for event in self._late if event.aside]

    def history(self, limit: int = 100) -> list[StoredEvent]:
        """The newest events, sent or not, newest first."""
        with self._lock:
            stored = self._marked(self._select("ORDER BY sequence DESC LIMIT ?", limit))
            return [*reversed(self._late), *stored][:limit]

    def settle(self) -> None:
        """Try again to put on disk what waits in memory."""
        with self._lock:
            self._known()
            self._settle()

    def _known(self) -> Identity:
        if self._closed:
            raise SpoolError(f"the spool {self.path} is closed")
        return self._agent

    def _let_go(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._holder is not None:
            os.close(self._holder)
            self._holder = None

    def _identified(self) -> Identity:
        """Who the agent is, by the file or the witness; somebody new where neither knows."""
        stored = None
        try:
            stored = self._open()
        except (OSError, sqlite3.Error) as exc:
            self._refused(exc)
            if (row := read_agent_row(self.path)) is not None:
                stored = _identity(row)
        known = self._witness.correct(stored) if self._witness is not None else stored
        return known or Identity(str(uuid.uuid4()))

    def _open(self) -> Identity | None:
        """Open the file, a fresh one where it is corrupt, and say whose it is. Raises OSError and sqlite3.Error."""
        try:
            return self._opened()
        except sqlite3.Error as exc:
            if not is_corrupt(exc):
                raise
            self._put_away(exc)
            return self._opened()

    def _opened(self) -> Identity | None:
        db = open_file(self.path)
        try:
            row = db.execute(AGENT_ROW).fetchone()
        except sqlite3.Error:
            db.close()
            raise
        self._db, self._file = db, file_id(self.path)
        return _identity(row) if row is not None else None

    def _put_away(self, corrupt: sqlite3.Error) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
        self._waiting = (0, None)
        self._dropped["spool_corrupt"] += 1
        aside = set_aside(self.path)
        _log.error("the spool %s is corrupt (%s): kept as %s, begun afresh", self.path, corrupt, aside)

    def _reopen(self) -> sqlite3.Connection:
        """The file that could not be had before. Raises OSError, sqlite3.Error and SpoolError."""
        if self._holder is None:
            self._holder = hold(self.path)
        stored = self._open()
        assert self._db is not None  # noqa: S101  `_open` has just set it
        if stored is not None:
            shift = max(0, stored.sequence - self._late[0].sequence + 1) if self._late else 0
            self._late = [replace(event, sequence=event.sequence + shift) for event in self._late]
            ours = self._agent
            self._agent = Identity(
                stored.instance_id, max(stored.sequence, ours.sequence + shift), ours.position or stored.position
            )
        return self._db

    def _select(self, where: str, *arguments: int | str) -> list[StoredEvent]:
        rows = self._query(f"SELECT {_COLUMNS} FROM event {where}", *arguments)  # noqa: S608
        return [
            StoredEvent(number, uid, stored, sent, record, bool(aside))
            for number, uid, stored, sent, record, aside in rows
        ]

    def _query(self, statement: str, *arguments: int | str) -> list[tuple[Any, ...]]:
        self._known()
        if self._db is None:
            return []
        try:
            return self._db.execute(statement, arguments).fetchall()
        except sqlite3.Error as exc:
            if is_corrupt(exc):
                self._settle_afresh(exc)
            else:
                self._refused(exc)
            return []

    def _marked(self, rows: list[StoredEvent]) -> list[StoredEvent]:
        """Rows of the file with what is not yet written into it."""
        return [
            replace(
                row,
                sent_unix=row.sent_unix or self._late_marks.get(row.uid),
                aside=(row.aside or row.uid in self._late_asides) and row.uid not in self._late_marks,
            )
            for row in rows
        ]

    def _settle_afresh(self, exc: sqlite3.Error) -> None:
        try:
            self._put_away(exc)
        except OSError as worse:
            self._refused(worse)
        self._settle()

    def _settle(self) -> None:
        """Put what waits in memory on disk; after it `state` is current, also when that failed."""
        try:
            if self._db is not None and file_id(self.path) != self._file:
                self._leave()
            db = self._db or self._reopen()
            tight = not self._reserve.renew()  # a full log of changes could not even take a DELETE any more
            try:
                dropped = self._write(db, tight=tight)
            except sqlite3.Error as exc:
                if is_corrupt(exc):
                    self._put_away(exc)
                    self._open()
                    dropped = self._write(self._db or db)
                else:
                    self._reserve.give_up()
                    dropped = self._write(db, tight=True)
        except (OSError, sqlite3.Error, SpoolError) as exc:
            self._refused(exc)
            self._trim_late()
        else:
            self._late, self._late_marks, self._late_asides = [], {}, set()
            self._dropped["spool_full"] += dropped
            if not self.durable:
                _log.info("the spool %s can be written again", self.path)
            self.durable = True
        self._show()
        self._bear_witness()

    def _leave(self) -> None:
        """The file is not at its path any more: take what waits in it along to the one that is to be there."""
        _log.error("the spool %s was removed or replaced under the agent: what waits goes into a new one", self.path)
        waiting = self._select(f"WHERE {_WAITS} ORDER BY sequence LIMIT ?", -1)
        self._late = [event for event in self._marked(waiting) if event.waits] + self._late
        self._late_marks, self._late_asides, self._waiting = {}, set(), (0, None)
        self._let_go()

    def _show(self) -> None:
        stored, oldest = self._waiting
        late = [event.stored_unix for event in self._late if event.waits]
        if self._late_marks or self._late_asides:
            changed = _listed({*self._late_marks, *self._late_asides})
            still = f"SELECT count(*), min(stored_unix) FROM event WHERE {_WAITS} AND NOT {_AMONG}"  # noqa: S608
            stored, oldest = next(iter(self._query(still, changed)), self._waiting)
        self.state = SpoolState(
            queue_events=stored + len(late),
            queue_oldest_unix=oldest if stored > 0 else min(late, default=None),
            dropped_total=MappingProxyType(dict(self._dropped)),
        )

    def _bear_witness(self) -> None:
        """The position only moves with what can't be lost any more: else it would be told to nobody."""
        if not any(event.waits for event in self._late):
            self._told = self._agent.position
        if self._witness is not None:
            self._witness.write(replace(self._agent, position=self._told))

    def _write(self, db: sqlite3.Connection, *, tight: bool = False) -> int:
        """One transaction. Returns how many events that were never sent went to make room.

        `tight`: the file must not grow, as far as history can make room in it.
        """
        agent = self._known()
        place = (agent.position.boot_id, agent.position.visible_from) if agent.position else (None, None)
        with transaction(db):
            if tight:
                delete_history(db, sum(len(event.record.encode()) for event in self._late))
            db.execute(
                "INSERT OR REPLACE INTO agent VALUES (1, ?, ?, ?, ?)", (agent.instance_id, agent.sequence, *place)
            )
            db.executemany(
                # a file that was put in the place of ours may know the event
                f"INSERT INTO event ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO NOTHING",  # noqa: S608
                [(e.sequence, e.uid, e.stored_unix, e.sent_unix, e.record, int(e.aside)) for e in self._late],
            )
            db.executemany("UPDATE event SET aside = 1 WHERE uid = ?", [(uid,) for uid in self._late_asides])
            db.executemany(
                "UPDATE event SET sent_unix = ?, aside = 0 WHERE uid = ?",
                [(at, uid) for uid, at in self._late_marks.items()],
            )
            dropped = prune(db, self._max_bytes)
            waiting = db.execute(f"SELECT count(*), min(stored_unix) FROM event WHERE {_WAITS}").fetchone()  # noqa: S608
        self._waiting = waiting
        return dropped

    def _trim_late(self) -> None:
        """Oldest sent first, then oldest unsent, never the newest, in memory, where events wait for the disk."""
        while len(self._late) > 1 and sum(len(event.record) for event in self._late) > MEMORY_MAX_BYTES:
            victim = next((event for event in self._late if not event.waits), self._late[0])
            self._late.remove(victim)
            self._dropped["spool_full"] += victim.waits

    def _refused(self, exc: Exception) -> None:
        if self.durable:
            _log.warning(
                "the spool %s can't be written (%s): events are kept in memory and would be lost with this process; "
                "make room on that disk, or make it writable",
                self.path,
                exc,
            )
        self.durable = False


def _listed(uids: Collection[str]) -> str:
    return json.dumps(list(uids))


def _identity(row: tuple[str, int, str | None, int | None]) -> Identity:
    instance_id, sequence, boot_id, visible_from = row
    return Identity(instance_id, sequence, RingPosition(boot_id, visible_from) if boot_id else None)
