"""The page at /: the state of the log, who emptied it, who reads it, and what this node does not let the agent see."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kmsg_exporter.coverage import unseen
from kmsg_exporter.metrics.emptyings import article, counted, moment
from kmsg_exporter.metrics.html import Html, html, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kmsg_exporter.emptied import Emptied
    from kmsg_exporter.metrics.totals import Series, Snapshot
    from kmsg_exporter.model import Observation, PushState, Reader

DOCS: Final = "https://github.com/kmsg-exporter/kmsg-exporter#readme"
EMPTYINGS: Final = 10
_READERS: Final = 20
_CLEARERS: Final = 5
_LOOK: Final = Path(__file__).parents[1] / "look.css"
_OWN: Final = """
.fill { display: block; margin: .5rem 0 .2rem; }
.fill rect { fill: var(--bar-other); } .fill .behind { fill: var(--bar-severe); }
.wide dl.facts div { grid-template-columns: 12rem minmax(0, 1fr); }
.kind { white-space: nowrap; }
section ul { margin: .2rem 0; padding-left: 1.2rem; } li { overflow-wrap: anywhere; }
.facts + table { margin-top: .8rem; }
.fresh { margin-block: 1.4rem; } .fresh h2 { margin-bottom: .45rem; }
@media (max-width: 44rem) { .wide dl.facts div { grid-template-columns: minmax(0, 1fr); } }
"""


@dataclass(frozen=True, slots=True)
class Node:
    """What the page shows beside what is observed.

    `past` is newest first, None when it can't be read; `refused` says why a backend was not taken; `collector` is
    the address of the collector's pages, with a slash at its end, None when it has none that are known of.
    """

    name: str = "this node"
    past: Sequence[Emptied] | None = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    collector: str | None = None
    push_to: str | None = None
    push_failing: tuple[str, ...] = ()
    compat: bool = False


@cache
def _style() -> Html:
    return Html(_LOOK.read_text(encoding="utf-8") + _OWN)


def security_headers() -> tuple[tuple[str, str], ...]:
    """What a browser may do with the page: show it, in its own style."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        ("Content-Security-Policy", f"{policy}; frame-ancestors 'none'"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )


def render_page(
    observation: Observation, totals: Snapshot, node: Node, *, now: float, version: str, telemetry_path: str
) -> bytes:
    """The page as HTML. Like /metrics it names processes; it shows no line of the log and no process's arguments."""
    body = html(
        _PAGE,
        style=_style(),
        node=node.name,
        version=version,
        metrics=telemetry_path,
        docs=DOCS,
        collector=html('<a href="{url}">Collector</a>', url=node.collector) if node.collector else Html(""),
        state=_state(observation, totals, node),
        log=_log(observation, totals, now),
        readers=_readers(observation.readers),
        past=_past(observation, node, now),
        totals=_totals(totals),
        clearers=_clearers(totals.clears_by_origin),
        unseen=_list(blind_spots(observation, node)) or Html("<p>Nothing that it looks for.</p>"),
        agent=_agent(observation, node, version),
    )
    return body.encode("utf-8", "replace")


_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{node} · kernel log</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
  <a class="brand" href="/">Kernel log of {node}</a>
  <nav aria-label="Pages">
    <a href="{metrics}">Metrics</a> <a href="/-/healthy">Health</a> <a href="/-/ready">Readiness</a>
    <a href="{docs}" rel="noreferrer">Docs</a> {collector}
  </nav>
  <span class="quiet version">kmsg-exporter {version}</span>
</header>
<main id="main" tabindex="-1">
{state}
<div class="pair">
<section aria-labelledby="log"><h2 id="log">The log</h2>{log}</section>
<section aria-labelledby="readers"><h2 id="readers">Who reads it now</h2>{readers}</section>
</div>
<div class="fresh" role="region" aria-labelledby="past"><h2 id="past">The last emptyings</h2>
{past}</div>
<div class="pair">
<section aria-labelledby="totals" class="wide"><h2 id="totals">Since the agent's start</h2>{totals}{clearers}</section>
<section aria-labelledby="unseen"><h2 id="unseen">What this node does not let it see</h2>{unseen}</section>
</div>
<section aria-labelledby="agent" class="wide"><h2 id="agent">The agent</h2>{agent}</section>
</main>
</body>
</html>
"""


def blind_spots(observation: Observation, node: Node) -> Iterable[str]:
    """What can't be known here, one line each, with the reason where there is one."""
    ring = observation.ring
    yield from unseen(observation.backend, compat=node.compat)
    for probe in observation.probes:
        if not probe.attached:
            yield f"what the probe {probe.name} would show: it is not attached"
    if ring.empty is None:
        yield "whether dmesg shows anything"
    if ring.hidden_records is None:
        yield "how many records a clear hides"
    if ring.records_total is None:
        yield "how many records were printed"
    if observation.readers is None:
        yield "who holds the log open"
    for why in dict.fromkeys(node.refused.values()):
        names = ", ".join(name for name, reason in node.refused.items() if reason == why)
        yield f"why not more: {names} was not taken: {why}"


def _state(observation: Observation, totals: Snapshot, node: Node) -> Html:
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
    items.append(html("emptied {times}", times=_times(totals.emptied)))
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


def _log(observation: Observation, totals: Snapshot, now: float) -> Html:
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


def _readers(readers: Sequence[Reader] | None) -> Html:
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


def _past(observation: Observation, node: Node, now: float) -> Html:
    if node.past is None:
        return html(
            "<section><p class=\"is-warning\">The history can't be read: the agent's log says why.</p></section>"
        )
    if not node.past:
        return html("<section><p>None that is kept on this node.</p></section>")
    push = observation.push is not None
    return joined(article(event, now=now, push=push, collector=node.collector) for event in node.past)


def _totals(totals: Snapshot) -> Html:
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


def _clearers(series: Series) -> Html:
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


def _agent(observation: Observation, node: Node, version: str) -> Html:
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


def _list(lines: Iterable[str]) -> Html:
    items = joined(html("<li>{line}</li>", line=line) for line in lines)
    return html("<ul>{items}</ul>", items=items) if items else items


def _times(count: int) -> str:
    return counted(count, "time")
