"""What goes when events are too old or too many: the oldest arrivals first, some at a time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

STEP_EVENTS: Final = 200
_SLACK: Final = 64  # when it is full, a 64th is cleared, so that room is made now and then, not at each commit
_NS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Keep:
    """For how long and how much. Agents unheard of for `forget_after_seconds` are forgotten.

    That begins `grace_seconds` after the start: when the collector was away, it was nobody else's silence.
    """

    retention_seconds: float = 90 * 86400.0
    max_bytes: int = 4 << 30
    forget_after_seconds: float = 7 * 86400.0
    grace_seconds: float = 3600.0
    max_agents: int = 50_000


@dataclass(frozen=True, slots=True)
class Gone:
    """How many events went by their age and for room, and whether there is more to do."""

    age: int = 0
    bytes: int = 0
    more: bool = False


class Retention:
    """For the thread that writes. The file keeps its size: what is freed is used again."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        keep: Keep,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        running_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    ) -> None:
        """`running_ns` goes on evenly, also while the machine sleeps."""
        self._connection = connection
        self._keep = keep
        self._clock_ns = clock_ns
        self._running_ns = running_ns
        self._began_ns = running_ns()
        self._offset_ns = clock_ns() - self._began_ns
        self._full = False
        self._page_size = self._pragma("page_size")
        self._settled = self._used_bytes()

    def keep_up(self) -> Gone:
        """After a commit: let go of as much as it has added beyond the bound. Raises sqlite3.Error.

        What was beyond it before is left to step(): who lowers the bound by gigabytes wants events stored meanwhile.
        """
        gone = 0
        while self._over() and self._used_bytes() > self._settled and (oldest := self._surplus()):
            self._delete(oldest)
            gone += len(oldest)
        self._settled = self._used_bytes()
        return Gone(bytes=gone, more=self._full)

    def step(self) -> Gone:
        """Let go of at most STEP_EVENTS. Raises sqlite3.Error."""
        gone = self._step()
        self._settled = self._used_bytes()
        return gone

    def forget_before_ns(self) -> int:
        """Agents that were last heard of before this moment are forgotten; 0 is none."""
        if self._running_ns() - self._began_ns < self._keep.grace_seconds * _NS:
            return 0
        return self._now_ns() - int(self._keep.forget_after_seconds * _NS)

    def free_bytes(self) -> int:
        """What the file has inside it that is not used."""
        return self._page_size * self._pragma("freelist_count")

    def _now_ns(self) -> int:
        """The wall clock, or less: one that was set forward by a year must not cost a year of events."""
        return min(self._clock_ns(), self._offset_ns + self._running_ns())

    def _step(self) -> Gone:
        if old := self._old():
            self._delete(old)
            return Gone(age=len(old), more=len(old) == STEP_EVENTS)
        if not self._over():
            return Gone()
        if not (oldest := self._surplus()):  # all that is left is agents
            return Gone()
        self._delete(oldest)
        return Gone(bytes=len(oldest), more=self._over())

    def _old(self) -> list[tuple[int]]:
        """The oldest arrivals up to the first that is to be kept.

        None is older than one before it: its time is of a clock that was set back. A time that is yet to come is of a
        clock that was ahead, and says nothing.
        """
        now = self._now_ns()
        before = now - int(self._keep.retention_seconds * _NS)
        last = 0
        for seq, received_ns in self._connection.execute(
            "SELECT seq, received_unix_ns FROM event WHERE received_unix_ns <= ? ORDER BY seq LIMIT ?",
            (now, STEP_EVENTS),
        ):
            if received_ns >= before:
                break
            last = seq
        return self._oldest(last)

    def _oldest(self, last: int) -> list[tuple[int]]:
        return self._connection.execute(
            "SELECT seq FROM event WHERE seq <= ? ORDER BY seq LIMIT ?", (last, STEP_EVENTS)
        ).fetchall()

    def _surplus(self) -> list[tuple[int]]:
        """The oldest arrivals that make the room which is wanted, as far as STEP_EVENTS go."""
        excess, rows = self._used_bytes() - self._least_bytes(), list[tuple[int]]()
        for seq, size in self._connection.execute("SELECT seq, bytes FROM event ORDER BY seq LIMIT ?", (STEP_EVENTS,)):
            rows.append((seq,))
            excess -= size
            if excess <= 0:
                break
        return rows

    def _least_bytes(self) -> int:
        return self._keep.max_bytes - self._keep.max_bytes // _SLACK

    def _used_bytes(self) -> int:
        return self._page_size * self._pragma("page_count") - self.free_bytes()

    def _over(self) -> bool:
        self._full = self._used_bytes() > (self._least_bytes() if self._full else self._keep.max_bytes)
        return self._full

    def _delete(self, rows: list[tuple[int]]) -> None:
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("UPDATE gone SET last_seq = max(last_seq, ?)", max(rows))
            self._connection.executemany("DELETE FROM event WHERE seq = ?", rows)
            self._connection.executemany("DELETE FROM document WHERE seq = ?", rows)

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
