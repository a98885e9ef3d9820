"""What is stored, newest first: each question has a connection of its own to the collector's file, and an end."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_exporter.collector.event import Extent, ReceivedEvent, Sender, StoredEvent
from kmsg_exporter.collector.question import COLUMNS, Question
from kmsg_exporter.collector.schema import LAST_SEQ
from kmsg_exporter.collector.search import Found, matches, search
from kmsg_exporter.collector.store import explained
from kmsg_exporter.errors import DecodeError

# A reader that takes its time keeps the write-ahead log from being folded in.
READ_TIMEOUT_SECONDS: Final = 5.0

# What a page has of documents, in memory: each of its events may have the 256 KiB that one is allowed.
PAGE_BYTES: Final = 4 * 1024 * 1024

_CURSOR: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,19})")
_ARRIVAL: Final = re.compile(r"[0-9]{1,19}")
_PROGRESS_STEPS: Final = 20_000
_TEXT_STEPS: Final = 100  # each row's text may take a hundredth of a second
_COLUMNS: Final = (
    "seq, uid, variant, received_unix_ns, time_unix_ns, listed_unix_ns, node, comm, exe, origin, text, "
    "instance, boot_id, sequence, cluster, host_id, version, emptyings, hidden, severe, expected"
)
_EVENTS: Final = f"SELECT {_COLUMNS} FROM event JOIN document USING (seq)"  # noqa: S608
_EVENT: Final = f"{_EVENTS} WHERE seq = ?"
_ARRIVED: Final = f"SELECT {_COLUMNS} FROM event NOT INDEXED JOIN document USING (seq)"  # in the order of seq  # noqa: S608
_AMONG: Final = "seq IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Page:
    """Events newest first. Older ones start behind `next_cursor` (None: none), newer ones before `previous_cursor`.

    `newest`: there was nothing newer.
    """

    events: tuple[ReceivedEvent, ...]
    next_cursor: str | None
    previous_cursor: str | None
    newest: bool


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Events in the order in which they came; `arrived` is where the next ones start, `more` whether there are any."""

    events: tuple[ReceivedEvent, ...]
    arrived: str
    more: bool = False


class Reading:
    """Questions to the store at `path`, which must be there. Each raises CollectorError when it can't be read."""

    def __init__(self, path: Path, *, timeout_seconds: float = READ_TIMEOUT_SECONDS) -> None:
        self._path = path
        self._timeout_seconds = timeout_seconds

    def get(self, uid: str, variant: int = 0) -> ReceivedEvent | None:
        """The event of this uid, None when there is none. Variants are others that claim the same uid."""
        with self.connected() as connection:
            row = connection.execute(f"{_EVENTS} WHERE uid = ? AND variant = ?", (uid, variant)).fetchone()
        return None if row is None else _received(row)

    def variants(self, uid: str) -> tuple[int, ...]:
        with self.connected() as connection:
            rows = connection.execute("SELECT variant FROM event WHERE uid = ? ORDER BY variant", (uid,)).fetchall()
        return tuple(row["variant"] for row in rows)

    def page(
        self,
        question: Question = Question(),  # noqa: B008 - it is frozen
        *,
        limit: int,
        before: str | None = None,
        after: str | None = None,
        found: Found | None = None,
    ) -> Page:
        """At most `limit` events, newest first: those just older than the cursor `before`, or just newer than `after`.

        They are fewer where they are large: the page's cursor goes on behind PAGE_BYTES.
        `found` is what a search for the question's text has given; without it the search goes on until there are
        enough for this page, or until its time is over: then the page is short, and its cursor goes on there.
        DecodeError for a bad cursor.
        """
        forward = after is not None and before is None
        conditions, values = where(question)
        for cursor, sign in ((before, "<"), (after, ">")):
            if cursor is not None:
                conditions.append(f"(listed_unix_ns, seq) {sign} (?, ?)")
                values += _cursor_values(cursor)
        with self.connected() as connection:
            if question.q and found is None:
                found = search(connection, question, conditions, values, forward=forward, enough=limit + 1)
            if found is not None:
                conditions.append(_AMONG)
                values.append(json.dumps(found.seqs))
            order = "ASC" if forward else "DESC"
            ordered = f"ORDER BY listed_unix_ns {order}, seq {order}"
            # the numbers first: what may have to be sorted is small then
            chosen = f"SELECT seq FROM event WHERE {' AND '.join(conditions)} {ordered} LIMIT ?"  # noqa: S608
            seqs = connection.execute(chosen, (*values, limit + 1)).fetchall()
            rows, more = _fitting((connection.execute(_EVENT, seq).fetchone() for seq in seqs), limit)
        events = tuple(_received(row) for row in rows)
        further = events[-1].cursor if more else found.stopped if found else None
        if forward:
            older = events[0].cursor if events else after
            return Page(events[::-1], older, further or (events[-1].cursor if events else after), further is None)
        return Page(events, further, events[0].cursor if events else None, before is None)

    def found(self, question: Question) -> Found | None:
        """Which events have the question's text; None when it has none."""
        if not question.q:
            return None
        conditions, values = where(question)
        with self.connected() as connection:
            return search(connection, question, conditions, values)

    def arrivals(self, question: Question, *, limit: int, after: str) -> Arrivals:
        """What has come since, whenever it happened, oldest arrival first. DecodeError for a bad cursor."""
        if not _ARRIVAL.fullmatch(after) or int(after) >= 2**63:
            raise DecodeError(f"{after[:60]!r} is not a cursor that this collector gave")
        conditions, values = where(question)
        if question.q:
            condition, texts = matches(question.q)
            conditions.append(condition)
            values += texts
        query = f"{_ARRIVED} WHERE {' AND '.join(conditions)} AND seq > ? ORDER BY seq LIMIT ?"
        with self.connected(steps=_TEXT_STEPS if question.q else _PROGRESS_STEPS) as connection:
            newest = _newest(connection)
            if int(after) >= newest:
                return Arrivals((), str(newest))
            rows, more = _fitting(connection.execute(query, (*values, int(after), limit + 1)), limit)
        return Arrivals(tuple(_received(row) for row in rows), str(rows[-1]["seq"] if more else newest), more)

    def arrived(self) -> str:
        """The cursor behind all that has come until now."""
        with self.connected() as connection:
            return str(_newest(connection))

    @contextmanager
    def connected(self, *, steps: int = _PROGRESS_STEPS) -> Iterator[sqlite3.Connection]:
        """A connection that only reads, and whose every answer together ends in time."""
        ends = time.monotonic() + self._timeout_seconds
        with (
            explained(f"can't read the collector's store {self._path}"),
            closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
        ):
            connection.row_factory = sqlite3.Row
            connection.set_progress_handler(lambda: time.monotonic() > ends, steps)
            connection.execute("BEGIN")  # one state of the store for all that is asked
            yield connection


def where(question: Question, *, found: Found | None = None) -> tuple[list[str], list[int | str]]:
    """The question as SQL conditions, never none, and their values. Its text is what `found` stands for."""
    conditions, values = ["1"], list[int | str]()
    for sign, bound in ((">=", question.since_ns), ("<", question.until_ns)):
        if bound is not None:
            conditions.append(f"listed_unix_ns {sign} ?")
            values.append(bound)
    for column in COLUMNS:
        if (wanted := getattr(question, column)) is not None:
            conditions.append(f"{column} = ?")
            values.append(wanted)
    if question.severe:
        conditions.append("severe > 0")
    if question.unexpected:
        conditions.append("NOT expected")
    if question.unnamed:
        conditions.append("comm = '' AND exe = ''")
    if found is not None:
        conditions.append(_AMONG)
        values.append(json.dumps(found.seqs))
    return conditions, values


def _fitting(rows: Iterable[sqlite3.Row], limit: int) -> tuple[list[sqlite3.Row], bool]:
    """As many as a page has, one at least, and whether there are more."""
    taken: list[sqlite3.Row] = []
    left = PAGE_BYTES
    for row in rows:
        left -= sys.getsizeof(row["text"])
        if taken and (len(taken) == limit or left < 0):
            return taken, True
        taken.append(row)
    return taken, False


def _newest(connection: sqlite3.Connection) -> int:
    newest: int = connection.execute(LAST_SEQ).fetchone()[0]
    return newest


def _received(row: sqlite3.Row) -> ReceivedEvent:
    event = StoredEvent(
        row["uid"],
        row["time_unix_ns"],
        row["node"],
        row["comm"],
        row["exe"],
        row["origin"],
        row["text"],
        Sender(*(row[name] for name in ("instance", "boot_id", "sequence", "cluster", "host_id", "version"))),
        Extent(row["emptyings"], row["hidden"], row["severe"], bool(row["expected"])),
    )
    return ReceivedEvent(event, row["received_unix_ns"], f"{row['listed_unix_ns']}-{row['seq']}", row["variant"])


def _cursor_values(cursor: str) -> Sequence[int]:
    parts = _CURSOR.fullmatch(cursor)
    values = [int(part) for part in parts.groups()] if parts else []
    if not values or max(values) >= 2**63:
        raise DecodeError(f"{cursor[:60]!r} is not a cursor that this collector gave")
    return values
