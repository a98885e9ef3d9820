"""The page at /: what this agent is, the state of the log, and what this node does not let it see."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import TYPE_CHECKING, Final

from kmsg_exporter.coverage import unseen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kmsg_exporter.model import Observation, PushState

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:1.5rem}"
    "th{text-align:left;padding:.1rem 2rem .1rem 0;font-weight:normal;color:#666}"
)


def security_headers() -> tuple[tuple[str, str], ...]:
    """What a browser may do with the page: show it, in its own style."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        ("Content-Security-Policy", f"{policy}; frame-ancestors 'none'"),
        ("Referrer-Policy", "no-referrer"),
    )


def render_page(observation: Observation, *, version: str, telemetry_path: str) -> bytes:
    """The page as HTML. It names no process: /metrics does that."""
    ready = "ready" if observation.ready else "not ready"
    rows = [
        ("dmesg", _dmesg(observation)),
        ("records since boot", _known(observation.ring.records_total)),
        ("readers now", _known(None if observation.readers is None else len(observation.readers))),
        ("backend", f"{observation.backend}, {ready}"),
        ("push", _push(observation.push)),
    ]
    table = "".join(f"<tr><th scope=row>{escape(name)}<td>{escape(text)}" for name, text in rows)
    unseen = "".join(f"<li>{escape(text)}" for text in blind_spots(observation)) or "<li>nothing that it looks for"
    links = " · ".join(
        f'<a href="{escape(path)}">{escape(path)}</a>' for path in (telemetry_path, "/-/healthy", "/-/ready")
    )
    return (
        '<!DOCTYPE html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">'
        f"<title>kmsg_exporter</title><style>{_STYLE}</style>"
        f"<h1>kmsg_exporter {escape(version)}</h1><p>Who clears and who reads this node's kernel log.<p>{links}"
        f"<h2>Now</h2><table>{table}</table><h2>What this node does not let it see</h2><ul>{unseen}</ul></html>\n"
    ).encode("utf-8", "replace")


def blind_spots(observation: Observation) -> Iterable[str]:
    """What can't be known here, one line each."""
    ring = observation.ring
    yield from unseen(observation.backend)
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


def _dmesg(observation: Observation) -> str:
    ring = observation.ring
    if ring.empty is None:
        return "not known"
    text = "shows nothing" if ring.empty else "shows records"
    return f"{text}; a clear hides {ring.hidden_records} records" if ring.hidden_records else text


def _push(push: PushState | None) -> str:
    return "off" if push is None else f"{push.queue_events} events to send, {push.sent_total} sent"


def _known(number: int | None) -> str:
    return "not known" if number is None else str(number)
