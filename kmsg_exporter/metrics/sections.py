"""The parts of the agent's page, each from what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kmsg_exporter.metrics.emptyings import article, counted, moment
from kmsg_exporter.metrics.html import Html, html, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kmsg_exporter.metrics.page import Node
    from kmsg_exporter.metrics.totals import Series, Snapshot
    from kmsg_exporter.model import Observation, PushState, Reader

_READERS: Final = 20
_CLEARERS: Final = 5


def state_line(observation: Observation, totals: Snapshot, node: Node) -> Html:
    ring = observation.ring
    items = []
    if ring.empty is None:
        items.append(html('<strong class="is-warning">Whether dmesg shows anything is not known</strong>'))
    elif ring.empty:
        items.append(html('<strong class="is-severe">dmesg shows nothing</strong>'))
    else:
        items.append(html("<strong>dmesg shows records</strong>"))
    if ring.hidden_records:
        items.append(html("a clear hides {hidden}", hidden=counted(ring.hidden_records, "record")))
    items.append(html("emptied {times}, counted since the agent's start", times=_times(totals.emptied)))
    if not observation.ready:
        items.append(html('<span class="is-severe">not ready: not all that it promises is in place</span>'))
    if node.push_failing:
        items.append(html('<span class="is-severe">the push fails: {why}</span>', why=", ".join(node.push_failing)))
    bad = ring.empty or not observation.ready or bool(node.push_failing)
    shown = joined(html('<span class="item">{item}</span>', item=item) for item in items)
    return html(
        '<h1 class="aloud">{node}</h1><p class="state{bad}">{items}</p>',
        node=node.name,
        bad=" bad" if bad else "",
        items=shown,
    )


def log_facts(observation: Observation, totals: Snapshot, now: float) -> Html:
    ring = observation.ring
    rows: list[tuple[str, object]] = []
    bar = Html("")
    if ring.records_total is not None and ring.overwritten_records_total is not None:
        held = max(ring.records_total - ring.overwritten_records_total, 0)
        hidden = min(ring.hidden_records or 0, held)
        bar = _bar(hidden, held)
        rows.append(("shown", f"{held - hidden:,} of the {counted(held, 'record')} that it holds"))
        gone = ring.overwritten_records_total
        full = f"{counted(gone, 'record')}, the oldest: it is full, newer ones push them out"
        rows.append(("overwritten", full if gone else "none since the boot: it still has the first"))
        rows.append(("printed", f"{counted(ring.records_total, 'record')} since the boot"))
    rows.insert(0, ("hidden", "not known" if ring.hidden_records is None else _behind(ring.hidden_records)))
    if ring.buffer_bytes is not None:
        rows.append(("size", f"{ring.buffer_bytes >> 10:,} KiB"))
    last = totals.last_emptied_timestamp_seconds
    rows.append(("last emptied", "not since the agent's start" if last is None else moment(int(last * 1e9), now)))
    return joined([bar, _facts(rows)])


def _behind(hidden: int) -> str:
    return f"{counted(hidden, 'record')} by a clear; kmsg-exporter recover prints them" if hidden else "none"


def _bar(hidden: int, held: int) -> Html:
    """How much of what the ring holds is hidden, from the oldest record on the left to the newest."""
    if not held:
        return Html("")
    return html(
        '<svg class="fill" width="100%" height="12" role="img" aria-label="{label}">'
        '<rect width="100%" height="12" rx="2"/><rect class="behind" width="{part}%" height="12" rx="2"/></svg>',
        label=f"{hidden:,} of {held:,} records are hidden",
        part=round(100 * hidden / held, 2),
    )


def reader_table(readers: Sequence[Reader] | None) -> Html:
    if readers is None:
        return html('<p class="quiet">Not known yet, or not to be seen here.</p>')
    if not readers:
        return html("<p>Nobody holds it open.</p>")
    rows = joined(
        html(
            '<tr><th scope="row"><span class="comm">{comm}</span> <span class="path quiet">{exe}</span></th>'
            '<td class="number">{pid}</td><td class="comm kind">{interface}</td></tr>',
            comm=reader.comm or "unnamed",
            exe=reader.exe,
            pid=reader.pid,
            interface={"dev_kmsg": "/dev/kmsg", "proc_kmsg": "/proc/kmsg"}.get(reader.interface, reader.interface),
        )
        for reader in readers[:_READERS]
    )
    more = len(readers) - _READERS
    return html(
        '<table><thead><tr><th scope="col">Process</th><th scope="col" class="number">Pid</th>'
        '<th scope="col">Reads</th></tr></thead><tbody>{rows}</tbody></table>{more}',
        rows=rows,
        more=html('<p class="quiet">and {more}</p>', more=f"{more:,} more") if more > 0 else Html(""),
    )


def last_emptyings(observation: Observation, node: Node, now: float) -> Html:
    if node.past is None:
        return html(
            "<section><p class=\"is-warning\">The history can't be read: the agent's log says why.</p></section>"
        )
    if not node.past:
        return html("<section><p>None that is kept on this node.</p></section>")
    push = observation.push is not None
    return joined(article(event, now=now, push=push, collector=node.collector) for event in node.past)


def total_facts(totals: Snapshot) -> Html:
    counts = (
        ("dmesg went empty", _times(totals.emptied)),
        ("clears", f"{sum(totals.clears.values.values()):,}"),
        ("clears refused", f"{sum(totals.denied.values.values()):,}"),
        ("clears by nobody known", f"{totals.unattributed_clears:,}"),
        ("reads", f"{sum(totals.reads.values.values()):,}"),
        ("opens for reading", f"{sum(totals.opens.values.values()):,}"),
        ("writes to /dev/kmsg", f"{sum(totals.writes.values.values()):,}"),
        ("console changes", f"{sum(totals.console_changes.values.values()):,}"),
    )
    return _facts(counts)


def clearer_table(series: Series) -> Html:
    """Who clears most: labels are comm, exe, origin, expected."""
    most = sorted(series.values.items(), key=lambda item: (-item[1], item[0]))[:_CLEARERS]
    if not most:
        return Html("")
    rows = joined(
        html(
            '<tr><th scope="row"><span class="comm">{comm}</span>{by} <span class="path quiet">{exe}</span>{badge}</th>'
            '<td class="number">{count}</td></tr>',
            comm=comm,
            by=html(
                ' <span class="arrow" role="img" aria-label="run by">←</span> <span class="comm">{origin}</span>',
                origin=origin,
            )
            if origin
            else Html(""),
            exe=exe,
            badge=Html(' <span class="badge">expected</span>') if expected == "true" else Html(""),
            count=f"{count:,}",
        )
        for (comm, exe, origin, expected), count in most
    )
    return html(
        '<table><thead><tr><th scope="col">Who clears most</th><th scope="col" class="number">Clears</th></tr></thead>'
        "<tbody>{rows}</tbody></table>",
        rows=rows,
    )


def agent_facts(observation: Observation, node: Node, version: str) -> Html:
    rows: list[tuple[str, object]] = [
        ("version", version),
        ("backend", f"{observation.backend}, {'ready' if observation.ready else 'not ready'}"),
        ("trace records lost", f"{observation.trace_lost_events_total:,}"),
        ("events go to", node.push_to or "this node only: no collector is named"),
    ]
    if (push := observation.push) is not None:
        rows.append(("events", _push(push)))
    if observation.spool_durable is not None:
        rows.append(("kept on disk", "yes" if observation.spool_durable else "no: new events would be lost with it"))
    if observation.config is not None and not observation.config.last_reload_successful:
        rows.append(("configuration", "reading it again failed: the one before is in use, the agent's log says why"))
    return _facts(rows)


def _push(push: PushState) -> str:
    dropped = sum(push.dropped_total.values())
    text = f"{push.queue_events:,} to send, {push.sent_total:,} sent"
    return f"{text}, {dropped:,} given up" if dropped else text


def _facts(rows: Iterable[tuple[str, object]]) -> Html:
    shown = joined(html("<div><dt>{name}</dt><dd>{value}</dd></div>", name=name, value=value) for name, value in rows)
    return html('<dl class="facts">{rows}</dl>', rows=shown)


def bullets(lines: Iterable[str]) -> Html:
    items = joined(html("<li>{line}</li>", line=line) for line in lines)
    return html("<ul>{items}</ul>", items=items) if items else items


def _times(count: int) -> str:
    return counted(count, "time")
