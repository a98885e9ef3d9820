"""What people and programs read: the pages, and the events as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.resources import files
from typing import Final
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kmsg_exporter.collector.pages import Pages
from kmsg_exporter.collector.plain import plain_event
from kmsg_exporter.collector.reading import Page, Reading

PAGE_EVENTS: Final = 50
MAX_API_EVENTS: Final = 500


def site_routes(reading: Reading, pages: Pages, *, clock_ns: Callable[[], int] = time.time_ns) -> list[Route]:
    """Nothing of it writes."""
    stylesheet = files("kmsg_exporter.collector").joinpath("static", "style.css").read_bytes()

    async def index(request: Request) -> Response:
        page = await _page(reading, request, PAGE_EVENTS)
        query = {key: value for key in ("node", "comm") if (value := request.query_params.get(key)) is not None}
        older = f"/?{urlencode({**query, 'before': page.next_cursor})}" if page.next_cursor else None
        return HTMLResponse(
            pages.index(
                page.events,
                now_ns=clock_ns(),
                filters=query,
                older=older,
                newest=f"/?{urlencode(query)}" if "before" in request.query_params else None,
                endpoint=str(request.base_url).rstrip("/"),
            )
        )

    async def event(request: Request) -> Response:
        found = await run_in_threadpool(reading.get, request.path_params["uid"])
        if found is None:
            raise HTTPException(404, "No event with this identifier is stored here.")
        return HTMLResponse(pages.event(found, now_ns=clock_ns()))

    async def api_events(request: Request) -> Response:
        page = await _page(reading, request, _limit(request))
        return JSONResponse({"events": [plain_event(event) for event in page.events], "next": page.next_cursor})

    async def style(_request: Request) -> Response:
        return Response(stylesheet, media_type="text/css")

    return [
        Route("/", index),
        Route("/events/{uid}", event),
        Route("/api/events", api_events),
        Route("/static/style.css", style),
    ]


async def _page(reading: Reading, request: Request, limit: int) -> Page:
    query = request.query_params
    try:
        return await run_in_threadpool(
            reading.page, limit=limit, before=query.get("before"), node=query.get("node"), comm=query.get("comm")
        )
    except ValueError as exc:
        raise HTTPException(400, f"before: {exc}") from exc


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(PAGE_EVENTS))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MAX_API_EVENTS):
        raise HTTPException(400, f"limit: {text[:40]!r} is not a number from 1 to {MAX_API_EVENTS}")
    return int(text)
