"""Who was heard of and up to which event: agents, and the numbered stream of each of their boots."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kmsg_exporter.collector.event import Hello, Sender, StoredEvent, clipped

MAX_STREAMS: Final = 64
STREAMS_PER_AGENT: Final = 4  # on average: who names a boot for each hello takes no more
FORGET_STEP: Final = 500

# What each stream lacks between its first and its last event, and what lies between one boot's last and the next one's
# first: an agent counts on. Streams that overlap (a state directory put back) are taken one by one.
MISSING: Final = """
  SELECT coalesce(sum(inside), 0) + coalesce(sum(before), 0) FROM (
    SELECT max(0, last_sequence - first_sequence + 1 - stored) AS inside,
           max(0, first_sequence - 1 - max(last_sequence) OVER (
             PARTITION BY instance ORDER BY first_sequence, last_sequence
             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS before
    FROM stream)
"""
# An agent that never said hello sends events only, and is silent as long as nothing happens.
SILENT: Final = "SELECT count(*) FROM agent WHERE last_seen_unix_ns < ? AND hello_unix_ns IS NOT NULL"
VERSIONS: Final = "SELECT version, count(*) FROM agent GROUP BY version ORDER BY count(*) DESC, version"


def agent_name(sender: Sender, node: str) -> str | None:
    """What tells an agent from the others: its instance, else its host or node; None for one that says nothing."""
    if sender.instance:
        return clipped(sender.instance)
    named = f"host:{sender.host_id}" if sender.host_id else f"node:{node}" if node else ""
    return clipped(f"{named}@{sender.cluster}") if named else None


@dataclass(slots=True)
class _Span:
    first: int
    last: int
    stored: int


@dataclass(slots=True)
class Heard:
    """What one transaction has of each agent, gathered so that each is written once."""

    agents: dict[str, tuple[Sender, str]] = field(default_factory=dict)
    greeted: set[str] = field(default_factory=set)
    spans: dict[tuple[str, str], _Span] = field(default_factory=dict)
    given: dict[tuple[str, str], int] = field(default_factory=dict)

    def event(self, event: StoredEvent, *, new: bool) -> None:
        name = agent_name(event.sender, event.node)
        if name is None:
            return
        self.agents[name] = (event.sender, event.node)
        sequence = event.sender.sequence
        if new and sequence:
            span = self.spans.setdefault((name, clipped(event.sender.boot_id)), _Span(sequence, sequence, 0))
            span.first, span.last = min(span.first, sequence), max(span.last, sequence)
            span.stored += 1

    def hello(self, hello: Hello) -> None:
        """Its sequence is the last number that the agent gave to an event."""
        name = agent_name(hello.sender, hello.node)
        if name is None:
            return
        self.agents[name] = (hello.sender, hello.node)
        self.greeted.add(name)
        if hello.sender.sequence is not None:
            key = name, clipped(hello.sender.boot_id)
            self.given[key] = max(self.given.get(key, 0), hello.sender.sequence)


class Ledger:
    """Writes into the transaction that is open. Bounded: beyond `max_agents` the longest silent is forgotten."""

    def __init__(self, connection: sqlite3.Connection, *, max_agents: int, now_ns: int) -> None:
        self._connection = connection
        self._max_agents = max_agents
        # seen while this machine's clock was ahead
        connection.execute("UPDATE agent SET last_seen_unix_ns = ? WHERE last_seen_unix_ns > ?", (now_ns, now_ns))
        (self._agents,) = connection.execute("SELECT count(*) FROM agent").fetchone()
        (self._streams,) = connection.execute("SELECT count(*) FROM stream").fetchone()

    def write(self, heard: Heard, now_ns: int) -> int:
        """How many agents were forgotten to make room."""
        for name, (sender, node) in heard.agents.items():
            self._write_agent(name, sender, node, now_ns, greeted=name in heard.greeted)
        for (name, boot_id), span in heard.spans.items():
            self._write_stream(name, boot_id, span)
        for (name, boot_id), last in heard.given.items():
            self._write_given(name, boot_id, last)
        self._bound_streams()
        if self._agents <= self._max_agents:
            return 0
        # counted anew: a transaction that was rolled back has been counted too
        (self._agents,) = self._connection.execute("SELECT count(*) FROM agent").fetchone()
        excess = max(0, self._agents - self._max_agents)
        return self._forget(
            self._connection.execute("SELECT instance FROM agent ORDER BY last_seen_unix_ns LIMIT ?", (excess,))
        )

    def forget(self, before_ns: int) -> int:
        """Forget agents that were last heard of before that, some at a time; how many. A transaction of its own."""
        chosen = "SELECT instance FROM agent WHERE last_seen_unix_ns < ? LIMIT ?"
        if not self._connection.execute(chosen, (before_ns, 1)).fetchall():
            return 0
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            return self._forget(self._connection.execute(chosen, (before_ns, FORGET_STEP)))

    def _forget(self, rows: Iterable[tuple[str]]) -> int:
        names = list(rows)
        self._connection.executemany("DELETE FROM agent WHERE instance = ?", names)
        self._connection.executemany("DELETE FROM stream WHERE instance = ?", names)
        self._agents -= len(names)
        return len(names)

    def _write_agent(self, name: str, sender: Sender, node: str, now_ns: int, *, greeted: bool) -> None:
        said = tuple(map(clipped, (sender.cluster, node, sender.host_id, sender.version)))
        known = self._connection.execute(
            "UPDATE agent SET cluster = ?, node = ?, host_id = ?, version = ?, last_seen_unix_ns = ?, "
            "hello_unix_ns = coalesce(?, hello_unix_ns) WHERE instance = ?",
            (*said, now_ns, now_ns if greeted else None, name),
        )
        if not known.rowcount:
            self._connection.execute(
                "INSERT INTO agent VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (name, *said, now_ns, now_ns, now_ns if greeted else None),
            )
            self._agents += 1

    def _bound_streams(self) -> None:
        """Those that began longest ago go."""
        most = max(MAX_STREAMS, STREAMS_PER_AGENT * self._max_agents)
        if self._streams <= most:
            return
        # counted anew, as agents are
        (self._streams,) = self._connection.execute("SELECT count(*) FROM stream").fetchone()
        excess = max(0, self._streams - most)
        oldest = "SELECT rowid FROM stream ORDER BY rowid LIMIT ?"
        self._connection.execute(f"DELETE FROM stream WHERE rowid IN ({oldest})", (excess,))  # noqa: S608
        self._streams -= excess

    def _write_stream(self, name: str, boot_id: str, span: _Span) -> None:
        # never more than there are numbers: an event that had gone by its age and is sent again counts once
        known = self._connection.execute(
            "UPDATE stream SET first_sequence = min(first_sequence, :first), "
            "last_sequence = max(last_sequence, :last), "
            "stored = min(stored + :stored, max(last_sequence, :last) - min(first_sequence, :first) + 1) "
            "WHERE instance = :name AND boot_id = :boot_id",
            {"first": span.first, "last": span.last, "stored": span.stored, "name": name, "boot_id": boot_id},
        )
        if not known.rowcount:
            self._begin_stream(name, boot_id, span.first, span.last, min(span.stored, span.last - span.first + 1))

    def _write_given(self, name: str, boot_id: str, last: int) -> None:
        known = self._connection.execute(
            "UPDATE stream SET last_sequence = max(last_sequence, ?) WHERE instance = ? AND boot_id = ?",
            (last, name, boot_id),
        )
        if not known.rowcount:
            self._begin_stream(name, boot_id, last + 1, last, 0)  # nothing yet: its first event is the next

    def _begin_stream(self, name: str, boot_id: str, first: int, last: int, stored: int) -> None:
        self._connection.execute("INSERT INTO stream VALUES (?, ?, ?, ?, ?)", (name, boot_id, first, last, stored))
        self._streams += 1
        self._connection.execute(
            "DELETE FROM stream WHERE instance = ?1 AND rowid NOT IN "
            "(SELECT rowid FROM stream WHERE instance = ?1 ORDER BY rowid DESC LIMIT ?2)",
            (name, MAX_STREAMS),
        )
