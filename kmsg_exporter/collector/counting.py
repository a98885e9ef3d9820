"""How often, by whom and where: what a question's events come to, without reading one of them."""

from __future__ import annotations

import sqlite3
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Final

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
MAX_NAMES: Final = 10_000
MAX_NAMES_BYTES: Final = 8 << 20


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
    """`emptyings` may be more than `events`: one event may stand for several. `severe` counts events.

    `more_culprits`, `more_places`: there are more than are told apart, and those with the fewest are left out.
    """

    events: int
    emptyings: int
    severe: int
    culprits: tuple[Tally, ...]
    places: tuple[Tally, ...]
    more_culprits: bool = False
    more_places: bool = False


def totals(reading: Reading, question: Question, *, found: Found | None = None) -> Totals:
    """Who and where, most first."""
    conditions, values = where(question, found=found)
    events = emptyings = severe = 0
    culprits, places = _Ranking(), _Ranking()
    with reading.connected() as connection:
        for row in connection.execute(_GROUPS.format(" AND ".join(conditions)), values):
            events, emptyings, severe = events + row[5], emptyings + row[6], severe + row[7]
            culprits.add(row[0:3], *row[6:9])
            places.add(row[3:5], *row[6:9])
    return Totals(events, emptyings, severe, culprits.tallies(), places.tallies(), culprits.more, places.more)


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


def _bytes(name: tuple[str, ...]) -> int:
    return sum(map(sys.getsizeof, name))


class _Ranking:
    """Bounded: names come from nodes, which may send as many as they like."""

    def __init__(self) -> None:
        self.more = False
        self._sums: dict[tuple[str, ...], list[int]] = {}
        self._bytes = 0

    def add(self, name: tuple[str, ...], emptyings: int, severe: int, last_unix_ns: int) -> None:
        """Of one culprit in one place: no two are of the same two."""
        sums = self._sums.get(name)
        if sums is None:
            if len(self._sums) >= MAX_NAMES or self._bytes >= MAX_NAMES_BYTES:
                self.more = True
                self._sums = dict(nlargest(len(self._sums) // 2, self._sums.items(), key=lambda each: each[1][0]))
                self._bytes = sum(map(_bytes, self._sums))
            sums = self._sums[name] = [0, 0, 0, 0]
            self._bytes += _bytes(name)
        sums[0] += emptyings
        sums[1] += severe
        sums[2] += 1
        sums[3] = max(sums[3], last_unix_ns)

    def tallies(self) -> tuple[Tally, ...]:
        tallies = [Tally(name, *sums) for name, sums in self._sums.items()]
        return tuple(sorted(tallies, key=lambda tally: (-tally.emptyings, tally.name)))
