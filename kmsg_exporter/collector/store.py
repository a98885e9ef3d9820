"""The collector's SQLite file: each event once by uid, on disk before anybody is told so."""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from kmsg_exporter.collector.event import Hello, StoredEvent
from kmsg_exporter.collector.group import MAX_VARIANTS, NONE, STORED, Group, Outcome
from kmsg_exporter.collector.histogram import Histogram
from kmsg_exporter.collector.ledger import Heard, Ledger
from kmsg_exporter.collector.retention import Keep, Retention
from kmsg_exporter.collector.schema import LAST_SEQ, explained, prepare
from kmsg_exporter.errors import CollectorError

__all__ = ["MAX_VARIANTS", "Outcome", "Store", "StoreState", "explained"]

_ELSEWHERE: Final = "name a directory that this user can write, by --collector.directory"
GROUP_COMMIT_REQUESTS: Final = 64
BUSY_TIMEOUT_SECONDS: Final = 5.0
HUNG_SECONDS: Final = 30.0
ROOM_BYTES: Final = 1 << 20
COMMIT_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
COMMIT_EVENTS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0)
_TIDY_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 10.0
# the write-ahead log is cut back to this when it was folded in: readers that take their time make it grow, and when
# they overlap it is never folded in by itself
WAL_BYTES: Final = 64 << 20

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoreState:
    """The store in numbers since it was opened; replaced whole."""

    outcome: Outcome = NONE
    failures: int = 0
    expired_age: int = 0
    expired_bytes: int = 0
    forgotten_age: int = 0
    forgotten_bound: int = 0
    commit_seconds: Histogram = field(default_factory=lambda: Histogram(COMMIT_SECONDS))
    commit_events: Histogram = field(default_factory=lambda: Histogram(COMMIT_EVENTS))


class _Write:
    """Lets go of its events as soon as nobody waits for them any more: a writer that hangs leaves it in the queue."""

    def __init__(self, events: Sequence[StoredEvent], hellos: Sequence[Hello]) -> None:
        self.events = events
        self.hellos = hellos
        self.done: Future[Outcome] = Future()
        self.done.add_done_callback(self._let_go)

    def _let_go(self, _done: Future[Outcome]) -> None:
        self.events, self.hellos = (), ()


@dataclass(frozen=True, slots=True)
class _Task:
    call: Callable[[], None]
    done: Future[None]


class Store:
    """One writer thread commits what has queued up as one transaction; reading.py reads."""

    def __init__(self, path: Path, *, keep: Keep = Keep(), clock_ns: Callable[[], int] = time.time_ns) -> None:  # noqa: B008  frozen
        """Open or create the file; one of an older version is migrated, which may take minutes.

        Raises StoreTooNew for a newer program's file, CollectorError when it can't be opened.
        """
        self.path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self.state = StoreState()
        self.opened_unix_ns = clock_ns()
        self._clock_ns = clock_ns
        with explained(f"can't open the collector's store {path}", otherwise=_ELSEWHERE):
            self._connection = _connect(path)
            try:
                prepare(self._connection, path)
                self._ledger = Ledger(self._connection, max_agents=keep.max_agents, now_ns=self.opened_unix_ns)
                self._retention = Retention(self._connection, keep, clock_ns=clock_ns)
                (self._seq,) = self._connection.execute(LAST_SEQ).fetchone()
                self._connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
            except BaseException:
                self._connection.close()
                raise
        self._queue: queue.SimpleQueue[_Write | _Task | None] = queue.SimpleQueue()
        self._busy_since: float | None = None
        self._tidy_at = 0.0
        self._failing = False
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
        self._queue.put(None)
        self._writer.join()
        self._connection.close()

    def add(self, events: Sequence[StoredEvent], hellos: Sequence[Hello] = ()) -> Future[Outcome]:
        """Queue events for the next commit. The future is done when they are on disk.

        It raises CollectorError when they could not be stored; then none of them is.
        """
        write = _Write(events, hellos)
        self._queue.put(write)
        return write.done

    def tidy(self) -> Future[None]:
        """Let go now of what is over the bounds, which else happens by and by."""

        def all_of_it() -> None:
            while self._tidy():
                pass

        return self._ask(all_of_it)

    def check(self) -> Future[None]:
        """Done when something was written to the disk and there is room for more; raises CollectorError."""
        return self._ask(self._check)

    @property
    def hung(self) -> bool:
        """Whether nothing is stored any more: the writer is gone, or has been at one transaction for too long."""
        busy_since = self._busy_since
        return not self._writer.is_alive() or (busy_since is not None and time.monotonic() - busy_since > HUNG_SECONDS)

    def _ask(self, call: Callable[[], None]) -> Future[None]:
        done: Future[None] = Future()
        self._queue.put(_Task(call, done))
        return done

    def _write_loop(self) -> None:
        more, stopping = True, False
        while not stopping:
            group: list[_Write | _Task] = []
            try:
                item = self._queue.get(timeout=0 if more else _IDLE_SECONDS)
                while item is not None:
                    group.append(item)
                    if len(group) >= GROUP_COMMIT_REQUESTS:
                        break
                    item = self._queue.get_nowait()
                stopping = item is None
            except queue.Empty:
                pass
            self._busy_since = time.monotonic()
            wanted = [item for item in group if item.done.set_running_or_notify_cancel()]
            if writes := [item for item in wanted if isinstance(item, _Write)]:
                self._commit(writes)
                more = self._quietly(self._keep_up) or more
            for task in wanted:
                if isinstance(task, _Task):
                    _run(task)
            if not stopping and (more or not group or time.monotonic() >= self._tidy_at):
                self._tidy_at = time.monotonic() + _TIDY_SECONDS
                more = self._quietly(self._tidy)
            self._busy_since = None

    def _commit(self, group: Sequence[_Write]) -> None:
        began = time.monotonic()
        try:
            with explained(f"can't write to the collector's store {self.path}"), self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                received, heard = self._clock_ns(), Heard()
                events = (event for write in group for event in write.events)
                new = Group(self._connection, events, seq=self._seq, received_unix_ns=received)
                outcomes = [_add(write, new, heard) for write in group]
                new.write()
                forgotten = self._ledger.write(heard, received)
        except CollectorError as exc:
            self._failed(group, exc)
            return
        except BaseException as exc:  # noqa: BLE001 - whoever waits must hear of it, whatever it was
            if len(group) == 1:
                self._failed(group, exc)
            for write in group if len(group) > 1 else ():  # one of them can't be stored by its nature: not the others
                self._commit([write])
            return
        self._failing, self._seq = False, new.seq
        total = sum(outcomes, NONE)
        self.state = replace(
            self.state,
            outcome=self.state.outcome + total,
            forgotten_bound=self.state.forgotten_bound + forgotten,
            commit_seconds=self.state.commit_seconds.observe(time.monotonic() - began),
            commit_events=self.state.commit_events.observe(sum(len(write.events) for write in group)),
        )
        for write, outcome in zip(group, outcomes, strict=True):
            write.done.set_result(outcome)

    def _failed(self, group: Sequence[_Write], exc: BaseException) -> None:
        if not self._failing:  # once, not at each request
            _log.error("%s; senders are asked to come again", exc)
        self._failing = True
        self.state = replace(self.state, failures=self.state.failures + 1)
        for write in group:
            write.done.set_exception(exc)

    def _tidy(self) -> bool:
        with explained(f"can't tidy the collector's store {self.path}"):
            gone = self._retention.step()
            forgotten = self._ledger.forget(self._retention.forget_before_ns())
            self._fold_in()
        self.state = replace(
            self.state,
            expired_age=self.state.expired_age + gone.age,
            expired_bytes=self.state.expired_bytes + gone.bytes,
            forgotten_age=self.state.forgotten_age + forgotten,
        )
        return gone.more or forgotten > 0

    def _fold_in(self) -> None:
        """A write-ahead log that is too long: writing waits until readers have left it, for BUSY_TIMEOUT_SECONDS."""
        try:
            size = self._wal.stat().st_size
        except FileNotFoundError:
            return
        if size > WAL_BYTES:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _keep_up(self) -> bool:
        with explained(f"can't tidy the collector's store {self.path}"):
            gone = self._retention.keep_up()
        self.state = replace(self.state, expired_bytes=self.state.expired_bytes + gone.bytes)
        return gone.more

    def _quietly(self, call: Callable[[], bool]) -> bool:
        try:
            return call()
        except Exception as exc:  # noqa: BLE001 - the thread must not die of it
            if not self._failing:
                _log.error("%s", exc)
            self._failing = True
            return False

    def _check(self) -> None:
        with explained(f"can't write to the collector's store {self.path}"):
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                (version,) = self._connection.execute("PRAGMA user_version").fetchone()
                self._connection.execute(f"PRAGMA user_version = {version}")  # the same: what counts is the write
            disk = os.statvfs(self.path)
            room = disk.f_bavail * disk.f_frsize + self._retention.free_bytes()
        if room < ROOM_BYTES:
            raise CollectorError(f"the disk of the collector's store {self.path} has {room} bytes left: make room")


def _run(task: _Task) -> None:
    try:
        task.call()
    except BaseException as exc:  # noqa: BLE001 - whoever waits must hear of it
        task.done.set_exception(exc)
    else:
        task.done.set_result(None)


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The writer thread is the only user after __init__, hence check_same_thread=False.
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)


def _add(write: _Write, new: Group, heard: Heard) -> Outcome:
    total = NONE
    for event in write.events:
        outcome = new.add(event)
        heard.event(event, new=outcome is STORED)
        total += outcome
    for hello in write.hellos:
        heard.hello(hello)
    return total
