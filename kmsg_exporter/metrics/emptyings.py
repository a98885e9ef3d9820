"""One emptying on the agent's page: when, who, run by whom, where, and how much it hid."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from kmsg_exporter.metrics.html import Html, html, joined
from kmsg_exporter.model import LEVELS

if TYPE_CHECKING:
    from kmsg_exporter.emptied import Emptied

_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_NOTHING: Final = Html("")
_ARROW: Final = Html('<span class="arrow" role="img" aria-label="run by">←</span>')


def article(event: Emptied, *, now: float, push: bool, collector: str | None) -> Html:
    """`push`: events are to be sent. `collector` is the address of its pages, None without any."""
    expected = event.attributes.get("kmsg.expected") is True
    uid = event.text("log.record.uid")
    badges = [html('<span class="badge">expected</span>')] if expected else []
    if (count := event.number("kmsg.coalesced") or 1) > 1:
        badges.append(html('<span class="badge strong">stands for {count} emptyings</span>', count=f"{count:,}"))
    if push and event.sent_unix is None:
        badges.append(html('<span class="badge strong">not at the collector yet</span>'))
    url = (
        f"{collector}events/{quote(uid, safe='', errors='replace')}"
        if collector and uid and event.sent_unix is not None
        else None
    )
    return html(
        '<article class="event{kind}"><p class="when">{when}</p>'
        '<div class="what">{who}{hidden}{where}</div></article>\n',
        kind=" severe" if event.errors else " expected" if expected else "",
        when=_when(event, now),
        who=_who(event),
        hidden=_hidden(event, joined(badges)),
        where=_where(event, url),
    )


def moment(unix_ns: int, now: float) -> Html:
    """`2026-11-23 09:39:41 UTC, 2 hours ago`."""
    return html("{stamp}, {ago}", stamp=_stamp(unix_ns), ago=_ago(int(now - unix_ns / 1e9)))


def counted(count: int, noun: str) -> str:
    """`1 record`, `1,284 records`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _when(event: Emptied, now: float) -> Html:
    since = event.number("kmsg.since_unix_nano")
    return html(
        '<strong class="ago">{ago}</strong> <span class="stamp">{stamp}</span>{late}',
        ago=_ago(int(now - event.time_unix_ns / 1e9)),
        stamp=_stamp(event.time_unix_ns),
        late=_NOTHING
        if since is None
        else html(' <span class="late">or earlier, after {since}</span>', since=_stamp(since)),
    )


def _who(event: Emptied) -> Html:
    comm, exe = event.text("kmsg.process.comm"), event.text("process.executable.path")
    if event.text("kmsg.attribution.source") in ("", "none"):
        return html('<p class="who unknown">Nobody could be named: no traced call explains it.</p>')
    pid = event.number("process.pid")
    about = ", ".join(part for part in (exe, "" if pid is None else f"pid {pid}") if part)
    above = joined(
        html(' <span class="link">{arrow} <span class="comm">{comm}</span></span>', arrow=_ARROW, comm=one)
        for one in event.behind
    )
    return html(
        '<p class="who"><span class="comm">{comm}</span> <span class="quiet">(<span class="path">{about}</span>)</span>'
        "{above}</p>",
        comm=comm or "unnamed",
        about=about,
        above=above,
    )


def _where(event: Emptied, url: str | None) -> Html:
    parts = [
        html('{name} <span class="path">{value}</span>', name=name, value=value)
        for name, value in (
            ("user", event.text("process.owner")),
            ("container", event.text("kmsg.process.container.id")),
            ("pod", event.text("kmsg.process.pod.uid")),
        )
        if value
    ]
    if url is not None:
        parts.append(html('<a href="{url}">the whole story, in the collector</a>', url=url))
    return html('<p class="quiet">{parts}</p>', parts=joined(parts, " · ")) if parts else _NOTHING


def _hidden(event: Emptied, badges: Html) -> Html:
    records = event.number("kmsg.hidden.records")
    if records is None:
        text = '<p class="hidden"><span class="quiet">How many records were hidden is not known.</span>{badges}</p>'
        return html(text, badges=badges)
    counts = event.attributes.get("kmsg.hidden.by_level")
    known = counts if isinstance(counts, dict) else {}
    levels = joined(
        html(' <span class="level {level}">{count}&nbsp;{level}</span>', level=level, count=f"{count:,}")
        for level in LEVELS
        if isinstance(count := known.get(level), int) and count
    )
    return html(
        '<p class="hidden"><span><strong>{records}</strong> {noun} hidden</span>{levels}{badges}</p>',
        records=f"{records:,}",
        noun="record" if records == 1 else "records",
        levels=levels,
        badges=badges,
    )


def _stamp(unix_ns: int) -> Html:
    try:
        at = datetime.fromtimestamp(unix_ns // 10**9, UTC)
    except (ValueError, OverflowError, OSError):
        return html("{ns} ns", ns=unix_ns)
    return html(
        '<time datetime="{iso}">{shown} UTC</time>', iso=f"{at:%Y-%m-%dT%H:%M:%SZ}", shown=f"{at:%Y-%m-%d %H:%M:%S}"
    )


def _ago(seconds: int) -> str:
    if abs(seconds) < 2:
        return "just now"
    size, unit = next((size, unit) for size, unit in _UNITS if abs(seconds) >= size)
    words = counted(abs(seconds) // size, unit)
    return f"{words} ago" if seconds > 0 else f"in {words}"
