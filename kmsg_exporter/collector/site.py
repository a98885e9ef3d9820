"""What people read: the first page, a node's page, the agents, one event, and the files that make them look so."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from kmsg_exporter.collector.api import api_routes, variant_of
from kmsg_exporter.collector.asking import Asking
from kmsg_exporter.collector.fleet import STATES, Agents
from kmsg_exporter.collector.links import Links
from kmsg_exporter.collector.overview import overview
from kmsg_exporter.collector.pages import Pages
from kmsg_exporter.collector.question import Question
from kmsg_exporter.collector.reading import Reading
from kmsg_exporter.collector.silence import Silence
from kmsg_exporter.errors import DecodeError

FIRST_PAGE_SINCE: Final = "7d"
_STATIC: Final = {
    "style.css": "text/css",
    "live.js": "text/javascript",
    "keys.js": "text/javascript",
    "copy.js": "text/javascript",
}


def site_routes(
    reading: Reading,
    pages: Pages,
    silence: Silence,
    *,
    clock_ns: Callable[[], int] = time.time_ns,
) -> list[Route]:
    """Nothing of it writes."""
    asking = Asking()
    site = _Site(reading, Agents(reading, silence), pages, clock_ns)
    static = {
        name: (files("kmsg_exporter.collector").joinpath("static", name).read_bytes(), media_type)
        for name, media_type in _STATIC.items()
    }

    # the tokens have one home: the agent's page takes them too
    static["style.css"] = files("kmsg_exporter").joinpath("look.css").read_bytes() + static["style.css"][0], "text/css"

    async def index(request: Request) -> Response:
        return HTMLResponse(await asking(site.index, request.query_params, str(request.base_url).rstrip("/")))

    async def node(request: Request) -> Response:
        return _found(await asking(site.node, request.query_params), "Nothing is known here of a node of this name.")

    async def agents(request: Request) -> Response:
        return HTMLResponse(await asking(site.agents, request.query_params))

    async def event(request: Request) -> Response:
        told = await asking(site.event, request.path_params["uid"], variant_of(request))
        return _found(told, "No event with this identifier is stored here.")

    async def file(request: Request) -> Response:
        if (found := static.get(request.path_params["name"])) is None:
            raise HTTPException(404, "There is no such file.")
        return Response(found[0], media_type=found[1])

    return [
        Route("/", index),
        Route("/node", node),
        Route("/agents", agents),
        Route("/events/{uid}", event),
        Route("/static/{name}", file),
        *api_routes(reading, asking, clock_ns=clock_ns),
    ]


class _Site:
    """The pages as text; None for what is not there."""

    def __init__(self, reading: Reading, agents: Agents, pages: Pages, clock_ns: Callable[[], int]) -> None:
        self._reading = reading
        self._agents = agents
        self._pages = pages
        self._clock_ns = clock_ns

    def index(self, query: Mapping[str, str], endpoint: str) -> str:
        now_ns, links = self._clock_ns(), Links("/", query)
        seen = overview(self._reading, query, links, now_ns=now_ns, default=FIRST_PAGE_SINCE)
        fleet = self._agents.fleet(now_ns=now_ns)
        return self._pages.index(seen, links, query=query, fleet=fleet, now_ns=now_ns, endpoint=endpoint)

    def node(self, query: Mapping[str, str]) -> str | None:
        now_ns, links, name = self._clock_ns(), Links("/node", query), query.get("node") or None
        if name is None:
            return None
        seen = overview(self._reading, query, links, now_ns=now_ns, default="all")
        known, _ = self._agents.agents(now_ns=now_ns, node=name, cluster=query.get("cluster") or None)
        if not seen.totals.events and not known and not self._reading.page(Question(node=name), limit=1).events:
            return None
        streams = self._agents.streams([agent.instance for agent in known])
        return self._pages.node(seen, links, query=query, agents=known, streams=streams, now_ns=now_ns)

    def agents(self, query: Mapping[str, str]) -> str:
        now_ns, links, state = self._clock_ns(), Links("/agents", query), query.get("state") or None
        if state is not None and state not in STATES:
            raise DecodeError(f"state: {state[:40]!r} is not one of {', '.join(STATES)}")
        number, version = _page_number(query.get("page", "")), query.get("version")
        found, more = self._agents.agents(now_ns=now_ns, state=state, version=version, page=number)
        fleet = self._agents.fleet(now_ns=now_ns)
        return self._pages.agents(
            found, fleet, links, state=state, version=version, page=number, more=more, now_ns=now_ns
        )

    def event(self, uid: str, variant: int) -> str | None:
        if (event := self._reading.get(uid, variant)) is None:
            return None
        node = Question(node=event.event.node, cluster=event.event.sender.cluster or None)
        earlier = self._reading.page(node, limit=1, before=event.cursor).events
        later = self._reading.page(node, limit=1, after=event.cursor).events
        return self._pages.event(
            event,
            Links("/", {}),
            variants=self._reading.variants(uid),
            earlier=earlier[0] if earlier else None,
            later=later[0] if later else None,
            now_ns=self._clock_ns(),
        )


def _found(page: str | None, otherwise: str) -> Response:
    if page is None:
        raise HTTPException(404, otherwise)
    return HTMLResponse(page)


def _page_number(text: str) -> int:
    if text and not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise DecodeError(f"page: {text[:40]!r} is not a number")
    return int(text or 0)
