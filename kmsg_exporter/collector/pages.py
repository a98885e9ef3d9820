"""The collector's HTML pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kmsg_exporter import __version__
from kmsg_exporter.collector.event import ReceivedEvent
from kmsg_exporter.collector.fleet import Agent, Fleet, Stream
from kmsg_exporter.collector.links import KEPT, Links
from kmsg_exporter.collector.moments import counted, moment, rfc3339
from kmsg_exporter.collector.overview import Overview
from kmsg_exporter.collector.present import tell
from kmsg_exporter.collector.visible import visible

PRESETS: Final = (("1h", "1 hour"), ("24h", "24 hours"), ("7d", "7 days"), ("30d", "30 days"), ("all", "all"))


class Pages:
    """Renders the templates. Every text they print is made visible, then escaped: no template can forget to."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("kmsg_exporter.collector"),
            autoescape=True,
            finalize=_printed,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals.update(version=__version__, counted=counted, presets=PRESETS, rfc3339=rfc3339)
        self._templates.filters["thousands"] = "{:,}".format

    def index(
        self,
        seen: Overview,
        links: Links,
        *,
        query: Mapping[str, str],
        fleet: Fleet,
        now_ns: int,
        endpoint: str,
    ) -> str:
        """`endpoint` is what agents push to."""
        return self._listing("index.html", seen, links, query, now_ns, fleet=fleet, endpoint=endpoint)

    def node(
        self,
        seen: Overview,
        links: Links,
        *,
        query: Mapping[str, str],
        agents: Sequence[Agent],
        streams: Sequence[Stream],
        now_ns: int,
    ) -> str:
        return self._listing("node.html", seen, links, query, now_ns, agents=agents, streams=streams)

    def agents(
        self,
        agents: Sequence[Agent],
        fleet: Fleet,
        links: Links,
        *,
        state: str | None,
        version: str | None,
        page: int,
        more: bool,
        now_ns: int,
    ) -> str:
        return self._render(
            "agents.html",
            now_ns,
            agents=agents,
            fleet=fleet,
            links=links,
            state=state,
            wanted=version,
            page=page,
            more=more,
        )

    def event(
        self,
        event: ReceivedEvent,
        links: Links,
        *,
        variants: Sequence[int],
        earlier: ReceivedEvent | None,
        later: ReceivedEvent | None,
        now_ns: int,
    ) -> str:
        """`earlier` and `later` are the node's events beside it."""
        return self._render(
            "event.html",
            now_ns,
            story=tell(event, now_ns=now_ns),
            links=links,
            variants=variants,
            earlier=earlier and tell(earlier, now_ns=now_ns),
            later=later and tell(later, now_ns=now_ns),
        )

    def message(self, title: str, text: str) -> str:
        return self._templates.get_template("message.html").render(title=title, text=text)

    def _listing(
        self, template: str, seen: Overview, links: Links, query: Mapping[str, str], now_ns: int, **more: Any
    ) -> str:
        paged = bool(query.get("before") or query.get("after"))
        page = seen.page
        newer = paged and not page.newest and page.previous_cursor
        return self._render(
            template,
            now_ns,
            seen=seen,
            links=links,
            query={name: links.asked.get(name, "") for name in KEPT},
            paged=paged,
            stories=[tell(event, now_ns=now_ns) for event in page.events],
            older=links.here(before=page.next_cursor) if page.next_cursor else None,
            newer=links.here(after=page.previous_cursor) if newer else None,
            live=None if paged or links.asked.get("until") else _live(links, seen.arrived),
            **more,
        )

    def _render(self, template: str, now_ns: int, **context: Any) -> str:
        return self._templates.get_template(template).render(moment=partial(moment, now_ns=now_ns), **context)


def _live(links: Links, arrived: str) -> str:
    """Where the page asks for what has arrived since, of the same kind."""
    asked = {name: value for name, value in links.asked.items() if name != "since"}
    return f"/api/events?{urlencode({**asked, 'limit': 20, 'arrived_after': arrived})}"


def _printed(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
