"""What the first page and a node's page are made of: the chart, who, where, and the newest events, of one question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from kmsg_exporter.collector.chart import Chart, chart
from kmsg_exporter.collector.counting import Totals, bars, extent, totals
from kmsg_exporter.collector.links import Links
from kmsg_exporter.collector.moments import bar_edges, rfc3339
from kmsg_exporter.collector.question import Question, read_question, span_seconds
from kmsg_exporter.collector.reading import Page, Reading

PAGE_EVENTS: Final = 30


@dataclass(frozen=True, slots=True)
class Overview:
    """`since` is the time that was asked for, as a URL has it. `stopped_unix_ns`: a search got no further back.

    `last_unix_ns` is when the newest event at all happened, asked only where the question finds none.
    """

    since: str
    totals: Totals
    chart: Chart | None
    page: Page
    stopped_unix_ns: int | None
    last_unix_ns: int | None
    arrived: str


def overview(
    reading: Reading, query: Mapping[str, str], links: Links, *, now_ns: int, default: str, zone: tzinfo | None = None
) -> Overview:
    """`default` is the time when the query names none. DecodeError for what can't be understood."""
    arrived = reading.arrived()
    since = query.get("since") or ("all" if query.get("until") else default)
    question = read_question({**query, "since": since}, now_ns=now_ns, zone=zone)
    found = reading.found(question)
    stopped = found.stopped_unix_ns if found else None
    if stopped is not None:
        question = question.but(since_ns=stopped)
    ends = extent(reading, question, found=found)
    edges = bar_edges(
        (ends[0] if ends else now_ns) if question.since_ns is None else question.since_ns,
        now_ns if question.until_ns is None else question.until_ns,
        zone=zone,
    )
    if question.since_ns is not None and stopped is None and span_seconds(since):
        question = question.but(since_ns=edges[0])  # whole bars only
    page = reading.page(question, limit=PAGE_EVENTS, before=query.get("before"), after=query.get("after"), found=found)
    drawn = None
    if ends is not None:
        counted = bars(reading, question, edges, found=found)
        drawn = chart(edges, counted, lambda a, b: _range(links, question, a, b), zone=zone)
    newest = extent(reading, Question()) if ends is None else None
    return Overview(
        since,
        totals(reading, question, found=found),
        drawn,
        page,
        stopped,
        newest[1] if newest else None,
        arrived,
    )


def _range(links: Links, question: Question, begin: int, end: int) -> str:
    since = begin if question.since_ns is None else max(begin, question.since_ns)
    until = end if question.until_ns is None else min(end, question.until_ns)
    return links.here(since=rfc3339(since), until=rfc3339(until))
