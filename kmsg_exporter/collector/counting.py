"""How often, by whom and where: what a question's events come to, without reading one of them."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from kmsg_exporter.collector.question import Question
from kmsg_exporter.collector.reading import Reading, where
from kmsg_exporter.collector.search import Found, by_time

# In the order of an index, which has all of it; the time is compared there, not looked up.
_GROUPS: Final = (
    "SELECT comm, exe, origin, node, cluster, count(*), sum(emptyings), sum(severe > 0), max(listed_unix_ns) "
    "FROM event WHERE {} GROUP BY comm, exe, origin, node, cluster"
)
_BAR: Final = (
    "SELECT total(emptyings * (severe > 0)), total(emptyings * (severe = 0 AND NOT expected)), "
    "total(emptyings * (severe = 0 AND expected)) FROM {} WHERE listed_unix_ns >= ? AND listed_unix_ns < ? AND {}"
)
_LATEST_NS: Final = 2**63 - 1
_Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """The emptyings of one stretch of time: those that hid errors or worse, others, and expected ones."""

    severe: int = 0
    other: int = 0
    expected: int = 0

    @property
    def total(self) -> int:
        return self.severe + self.other + self.expected


@dataclass(frozen=True, slots=True)
class Tally:
    """What one culprit (comm, exe, origin) or one place (node, cluster) comes to. `beside`: nodes, or culprits."""

    name: tuple[str, ...]
    emptyings: int
    severe: int
    beside: int
    last_unix_ns: int


@dataclass(frozen=True, slots=True)
class Totals:
    """`emptyings` may be more than `events`: one event may stand for several. `severe` counts events."""

    events: int
    emptyings: int
    severe: int
    culprits: tuple[Tally, ...]
    places: tuple[Tally, ...]


def totals(reading: Reading, question: Question, *, found: Found | None = None) -> Totals:
    """Who and where, most first."""
    conditions, values = where(question, found=found)
    with reading.connected() as connection:
        rows = [tuple(row) for row in connection.execute(_GROUPS.format(" AND ".join(conditions)), values)]
    return Totals(
        events=sum(row[5] for row in rows),
        emptyings=sum(row[6] for row in rows),
        severe=sum(row[7] for row in rows),
        culprits=_tallies(rows, lambda row: row[0:3], lambda row: row[3:5]),
        places=_tallies(rows, lambda row: row[3:5], lambda row: row[0:3]),
    )


def bars(reading: Reading, question: Question, edges: Sequence[int], *, found: Found | None = None) -> tuple[Bar, ...]:
    """One for each two edges that follow each other; the last has what comes later, too, unless the question ends."""
    conditions, values = where(question, found=found)
    if found is not None:
        return _bars_of_found(reading, conditions, values, edges)
    query = _BAR.format(by_time(question), " AND ".join(conditions))
    spans = [*zip(edges, [*edges[1:-1], _LATEST_NS], strict=False)]
    with reading.connected() as connection:
        return tuple(_bar(connection, query, (*span, *values)) for span in spans)


def _bars_of_found(
    reading: Reading, conditions: Sequence[str], values: Sequence[int | str], edges: Sequence[int]
) -> tuple[Bar, ...]:
    """These are few: each is read, once."""
    sums = [[0, 0, 0] for _ in edges[1:]]
    query = f"SELECT listed_unix_ns, severe, expected, emptyings FROM event WHERE {' AND '.join(conditions)}"  # noqa: S608
    with reading.connected() as connection:
        for listed, severe, expected, emptyings in connection.execute(query, values):
            at = min(bisect_right(edges, listed), len(sums)) - 1
            sums[at][0 if severe else 2 if expected else 1] += emptyings
    return tuple(Bar(*each) for each in sums)


def extent(reading: Reading, question: Question, *, found: Found | None = None) -> tuple[int, int] | None:
    """When the first and the last of them happened; None when there are none."""
    conditions, values = where(question, found=found)
    ends = []
    with reading.connected() as connection:
        for order in ("ASC", "DESC"):
            last = f"WHERE {' AND '.join(conditions)} ORDER BY listed_unix_ns {order} LIMIT 1"
            query = f"SELECT listed_unix_ns FROM {by_time(question)} {last}"  # noqa: S608
            row = connection.execute(query, values).fetchone()
            if row is None:
                return None
            ends.append(row[0])
    return ends[0], ends[1]


def _bar(connection: sqlite3.Connection, query: str, values: Sequence[int | str]) -> Bar:
    return Bar(*(int(count) for count in connection.execute(query, values).fetchone()))


def _tallies(rows: Iterable[_Row], name: Callable[[_Row], _Row], beside: Callable[[_Row], _Row]) -> tuple[Tally, ...]:
    sums: dict[_Row, list[int]] = {}
    others: dict[_Row, set[_Row]] = {}
    for row in rows:
        counted = sums.setdefault(name(row), [0, 0, 0])
        counted[0] += row[6]
        counted[1] += row[7]
        counted[2] = max(counted[2], row[8])
        others.setdefault(name(row), set()).add(beside(row))
    tallies = [Tally(key, emptyings, severe, len(others[key]), last) for key, (emptyings, severe, last) in sums.items()]
    return tuple(sorted(tallies, key=lambda tally: (-tally.emptyings, tally.name)))
