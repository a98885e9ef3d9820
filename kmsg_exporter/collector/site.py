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
from kmsg_exporter.collector.fleet import SILENT_AFTER_SECONDS, STATES, Agents
from kmsg_exporter.collector.links import Links
from kmsg_exporter.collector.overview import overview
from kmsg_exporter.collector.pages import Pages
from kmsg_exporter.collector.question import Question
from kmsg_exporter.collector.reading import Reading
from kmsg_exporter.errors import DecodeError

FIRST_PAGE_SINCE: Final = "7d"
_STATIC: Final = {"style.css": "text/css", "live.js": "text/javascript", "keys.js": "text/javascript", "copy.js": "text/javascript"}


def site_routes(
    reading: Reading,
    pages: Pages,
    *,
    clock_ns: Callable[[], int] = time.time_ns,
    silent_after_seconds: float = SILENT_AFTER_SECONDS,
) -> list[Route]:
    """Nothing of it writes."""
    asking = Asking()
    agents = Agents(reading, silent_after_seconds=silent_after_seconds)
    static = {
        name: (files("kmsg_exporter.collector").joinpath("static", name).read_bytes(), media_type)
        for name, media_type in _STATIC.items()
    }

    def first(query: Mapping[str, str], endpoint: str) -> str:
        now_ns, links = clock_ns(), Links("/", query)
        seen = overview(reading, query, links, now_ns=now_ns, default=FIRST_PAGE_SINCE)
        return pages.index(
            seen, links, query=query, fleet=agents.fleet(now_ns=now_ns), now_ns=now_ns, endpoint=endpoint
        )

    def node(query: Mapping[str, str]) -> str:
        now_ns, links, name = clock_ns(), Links("/node", query), query.get("node", "")
        seen = overview(reading, query, links, now_ns=now_ns, default="all")
        known, _ = agents.agents(now_ns=now_ns, node=name, cluster=query.get("cluster") or None)
        if not seen.totals.events and not known and not reading.page(Question(node=name), limit=1).events:
            raise LookupError(name)
        streams = agents.streams([agent.instance for agent in known])
        return pages.node(seen, links, query=query, agents=known, streams=streams, now_ns=now_ns)

    def fleet(query: Mapping[str, str]) -> str:
        now_ns, links, state = clock_ns(), Links("/agents", query), query.get("state") or None
        if state is not None and state not in STATES:
            raise DecodeError(f"state: {state[:40]!r} is not one of {', '.join(STATES)}")
        number, version = _page_number(query.get("page", "")), query.get("version")
        found, more = agents.agents(now_ns=now_ns, state=state, version=version, page=number)
        return pages.agents(
            found, agents.fleet(now_ns=now_ns), links, state=state, version=version, page=number, more=more, now_ns=now_ns
        )

    def story(uid: str, variant: int, address: str) -> str | None:
        if (event := reading.get(uid, variant)) is None:
            return None
        here = Question(node=event.event.node, cluster=event.event.sender.cluster or None)
        earlier = reading.page(here, limit=1, before=event.cursor).events
        later = reading.page(here, limit=1, after=event.cursor).events
        return pages.event(
            event,
            Links("/", {}),
            variants=reading.variants(uid),
            earlier=earlier[0] if earlier else None,
            later=later[0] if later else None,
            address=address,
            now_ns=clock_ns(),
        )

    async def get_first(request: Request) -> Response:
        return HTMLResponse(await asking(first, request.query_params, str(request.base_url).rstrip("/")))

    async def get_node(request: Request) -> Response:
        try:
            return HTMLResponse(await asking(node, request.query_params))
        except LookupError as exc:
            raise HTTPException(404, "Nothing is known here of a node of this name.") from exc

    async def get_agents(request: Request) -> Response:
        return HTMLResponse(await asking(fleet, request.query_params))

    async def get_event(request: Request) -> Response:
        address = str(request.url.replace(query="", fragment=""))
        told = await asking(story, request.path_params["uid"], variant_of(request), address)
        if told is None:
            raise HTTPException(404, "No event with this identifier is stored here.")
        return HTMLResponse(told)

    async def get_static(request: Request) -> Response:
        if (found := static.get(request.path_params["name"])) is None:
            raise HTTPException(404, "There is no such file.")
        return Response(found[0], media_type=found[1])

    return [
        Route("/", get_first),
        Route("/node", get_node),
        Route("/agents", get_agents),
        Route("/events/{uid}", get_event),
        Route("/static/{name}", get_static),
        *api_routes(reading, asking, clock_ns=clock_ns),
    ]


def _page_number(text: str) -> int:
    if text and not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise DecodeError(f"page: {text[:40]!r} is not a number")
    return int(text or 0)
