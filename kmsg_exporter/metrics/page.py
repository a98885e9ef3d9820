"""The page at /: the state of the log, who emptied it, who reads it, and what this node does not let the agent see."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kmsg_exporter.coverage import unseen
from kmsg_exporter.metrics.html import Html, html
from kmsg_exporter.metrics.sections import (
    agent_facts,
    bullets,
    clearer_table,
    last_emptyings,
    log_facts,
    reader_table,
    state_line,
    total_facts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kmsg_exporter.emptied import Emptied
    from kmsg_exporter.metrics.totals import Snapshot
    from kmsg_exporter.model import Observation

DOCS: Final = "https://github.com/kmsg-exporter/kmsg-exporter#readme"
EMPTYINGS: Final = 10
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
        state=state_line(observation, totals, node),
        log=log_facts(observation, totals, now),
        readers=reader_table(observation.readers),
        past=last_emptyings(observation, node, now),
        totals=total_facts(totals),
        clearers=clearer_table(totals.clears_by_origin),
        unseen=bullets(blind_spots(observation, node)) or Html("<p>Nothing that it looks for.</p>"),
        agent=agent_facts(observation, node, version),
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
<section aria-labelledby="totals" class="wide"><h2 id="totals">Counted since the agent's start</h2>
{totals}{clearers}</section>
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
