"""Looking for a text in what events say: newest first, and for so long that nobody has to wait."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kmsg_exporter.collector.question import Question

SEARCH_SECONDS: Final = 0.6
MAX_FOUND: Final = 5_000
# 100,000 events of 8 KB that don't match take half a second; an index by trigrams would double the file and what each
# event costs to write.
_MATCHES: Final = (
    "(text LIKE ? ESCAPE '\\' AND (json_extract(text, '$.body') LIKE ? ESCAPE '\\' OR EXISTS "
    "(SELECT 1 FROM json_tree(text, '$.attributes') WHERE type = 'text' AND value LIKE ? ESCAPE '\\')))"
)


@dataclass(frozen=True, slots=True)
class Found:
    """The events that have the text, by their numbers. `stopped` is the cursor behind the last that was looked at.

    None: all were.
    """

    seqs: Sequence[int]
    stopped: str | None = None
    stopped_unix_ns: int | None = None


def by_time(question: Question) -> str:
    """The table in the order of time. SQLite by itself takes a comm that nearly all have for a rare one, and sorts."""
    return "event INDEXED BY event_listed" if question.node is None else "event INDEXED BY event_node"


def matches(text: str) -> tuple[str, list[str]]:
    """The SQL condition on a document for a text, whatever its case (of ASCII letters), and its values.

    The first comparison is quick and of the JSON as it stands; the others leave out the names of attributes.
    """
    plain, written = (_like(each) for each in (text, json.dumps(text, ensure_ascii=False)[1:-1]))
    return _MATCHES, [written, plain, plain]


def search(
    connection: sqlite3.Connection,
    question: Question,
    conditions: Sequence[str],
    values: Sequence[int | str],
    *,
    forward: bool = False,
    enough: int = MAX_FOUND,
    seconds: float = SEARCH_SECONDS,
) -> Found:
    """Look through the events of the question's conditions until `enough` have the text or the time is over."""
    condition, texts = matches(question.q)
    order = "ASC" if forward else "DESC"
    query = (
        f"SELECT event.seq, listed_unix_ns, {condition} AS hit "  # noqa: S608
        f"FROM {by_time(question)} CROSS JOIN document USING (seq) "
        f"WHERE {' AND '.join(conditions)} ORDER BY listed_unix_ns {order}, seq {order}"
    )
    rows = connection.execute(query, (*texts, *values))
    ends = time.monotonic() + seconds
    seqs = []
    for seq, listed_unix_ns, hit in rows:
        if hit:
            seqs.append(seq)
        if time.monotonic() > ends or len(seqs) >= enough:
            return Found(seqs, f"{listed_unix_ns}-{seq}", listed_unix_ns)
    return Found(seqs)


def _like(text: str) -> str:
    escaped = re.sub(r"([\\%_])", r"\\\1", text)
    return f"%{escaped}%"
