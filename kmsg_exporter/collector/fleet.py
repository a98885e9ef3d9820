"""The agents behind the events: who reports, who has fallen silent, what is missing of what they have counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kmsg_exporter.collector.reading import Reading
from kmsg_exporter.collector.silence import Silence

PAGE_AGENTS: Final = 200
STATES: Final = ("silent", "missing", "reporting", "quiet")

# Of each stream what lies between its first and its last number and was not stored, and what lies between one boot's
# last number and the next one's first: an agent counts on. Streams that overlap are taken one by one.
_STREAMS: Final = """
  stream_missing AS (
    SELECT instance, boot_id, first_sequence, last_sequence, stored,
           max(0, last_sequence - first_sequence + 1 - stored) + coalesce(max(0, first_sequence - 1 - max(last_sequence)
             OVER (PARTITION BY instance ORDER BY first_sequence, last_sequence
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)), 0) AS missing
    FROM stream)
"""
# One that has never said hello is heard of only when something happens: it is quiet, not silent.
_AGENTS: Final = f"""
  WITH {_STREAMS},
  missing AS (SELECT instance, sum(missing) AS missing FROM stream_missing GROUP BY instance),
  known AS (
    SELECT agent.instance, cluster, node, host_id, version, first_seen_unix_ns, last_seen_unix_ns, hello_unix_ns,
           coalesce(missing.missing, 0) AS missing,
           CASE WHEN hello_unix_ns IS NULL AND last_seen_unix_ns < :since THEN 'quiet'
                WHEN last_seen_unix_ns < :before THEN 'silent' ELSE 'reporting' END AS state
    FROM agent LEFT JOIN missing USING (instance))
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Agent:
    """`state` is `reporting`, `silent` (it said hello and has stopped), or `quiet` (it never did)."""

    instance: str
    cluster: str
    node: str
    host_id: str
    version: str
    first_seen_unix_ns: int
    last_seen_unix_ns: int
    missing: int
    state: str


@dataclass(frozen=True, slots=True)
class Stream:
    """One boot's numbered events: the first and the last number that is known of, how many came, how many did not."""

    instance: str
    boot_id: str
    first_sequence: int
    last_sequence: int
    stored: int
    missing: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """The agents in numbers. `silent_since_unix_ns` is when the one that fell silent last was heard of."""

    agents: int
    reporting: int
    silent: int
    quiet: int
    missing: int
    lacking: int
    silent_since_unix_ns: int | None
    silent_nodes: tuple[str, ...]
    versions: tuple[tuple[str, int], ...]


class Agents:
    """Questions about agents."""

    def __init__(self, reading: Reading, silence: Silence) -> None:
        self._reading = reading
        self._silence = silence

    def fleet(self, *, now_ns: int) -> Fleet:
        with self._reading.connected() as connection:
            counts = connection.execute(
                f"{_AGENTS} SELECT count(*), total(state = 'reporting'), total(state = 'silent'), "  # noqa: S608
                "total(state = 'quiet'), coalesce(sum(missing), 0), total(missing > 0), "
                "max(CASE WHEN state = 'silent' THEN last_seen_unix_ns END) FROM known",
                self._values(now_ns),
            ).fetchone()
            silent = connection.execute(
                f"{_AGENTS} SELECT node FROM known WHERE state = 'silent' ORDER BY last_seen_unix_ns DESC LIMIT 3",  # noqa: S608
                self._values(now_ns),
            ).fetchall()
            versions = connection.execute(
                "SELECT version, count(*) FROM agent GROUP BY version ORDER BY count(*) DESC, version LIMIT 6"
            ).fetchall()
        numbers = [int(count) for count in counts[:6]]
        agents, reporting, silent_count, quiet, missing, lacking = numbers
        return Fleet(
            agents,
            reporting,
            silent_count,
            quiet,
            missing,
            lacking,
            counts[6],
            tuple(row[0] for row in silent),
            tuple((row[0], row[1]) for row in versions),
        )

    def agents(
        self,
        *,
        now_ns: int,
        state: str | None = None,
        node: str | None = None,
        cluster: str | None = None,
        version: str | None = None,
        page: int = 0,
    ) -> tuple[tuple[Agent, ...], bool]:
        """A page of agents, those to look after first, and whether there are more. `state` is one of STATES."""
        conditions, values = ["1"], self._values(now_ns)
        if state is not None:
            conditions.append("missing > 0" if state == "missing" else "state = :state")
        asked = {"node": node, "cluster": cluster, "version": version}
        for name, wanted in asked.items():
            if wanted is not None:
                conditions.append(f"{name} = :{name}")
        values |= asked | {"state": state, "skip": page * PAGE_AGENTS, "limit": PAGE_AGENTS + 1}
        with self._reading.connected() as connection:
            rows = connection.execute(
                f"{_AGENTS} SELECT instance, cluster, node, host_id, version, first_seen_unix_ns, last_seen_unix_ns, "  # noqa: S608
                f"missing, state FROM known WHERE {' AND '.join(conditions)} "
                "ORDER BY state != 'silent', missing = 0, cluster, node, instance LIMIT :limit OFFSET :skip",
                values,
            ).fetchall()
        return tuple(Agent(*row) for row in rows[:PAGE_AGENTS]), len(rows) > PAGE_AGENTS

    def streams(self, instances: Sequence[str]) -> tuple[Stream, ...]:
        """The boots of these agents, newest first."""
        marks = ", ".join("?" * len(instances))
        with self._reading.connected() as connection:
            rows = connection.execute(
                f"WITH {_STREAMS} SELECT instance, boot_id, first_sequence, last_sequence, stored, missing "  # noqa: S608
                f"FROM stream_missing WHERE instance IN ({marks}) ORDER BY instance, last_sequence DESC LIMIT 200",
                tuple(instances),
            ).fetchall()
        return tuple(Stream(*row) for row in rows)

    def _values(self, now_ns: int) -> dict[str, object]:
        return {"since": self._silence.since_ns(now_ns), "before": self._silence.before_ns(now_ns)}
