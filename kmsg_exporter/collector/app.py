"""The collector's HTTP: OTLP logs in, the page, the events as JSON, health."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib.resources import files
from typing import Final
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kmsg_exporter.collector.body import MAX_BODY_BYTES, read_json_body
from kmsg_exporter.collector.decode import decode_logs
from kmsg_exporter.collector.headers import AnswerCancelled, SecurityHeaders
from kmsg_exporter.collector.pages import Pages
from kmsg_exporter.collector.plain import plain_event
from kmsg_exporter.collector.store import Page, Store
from kmsg_exporter.errors import CollectorError, DecodeError

PAGE_EVENTS: Final = 50
MAX_API_EVENTS: Final = 500
MAX_REASONS: Final = 3

# google.rpc.Code, as OTLP/HTTP wants its errors
_RPC_CODES: Final = {400: 3, 404: 5, 405: 12, 408: 4, 413: 3, 415: 3, 503: 14}
_RPC_UNKNOWN: Final = 2

_log = logging.getLogger(__name__)
_Handler = Callable[[Request], Awaitable[Response]]


def create_app(
    store: Store, *, clock_ns: Callable[[], int] = time.time_ns, max_body_bytes: int = MAX_BODY_BYTES
) -> ASGIApp:
    """The collector on a store that is open. Who made the store closes it."""
    pages = Pages()
    stylesheet = files("kmsg_exporter.collector").joinpath("static", "style.css").read_bytes()

    async def receive(request: Request) -> Response:
        batch = await run_in_threadpool(decode_logs, await read_json_body(request, limit_bytes=max_body_bytes))
        if batch.events:
            await asyncio.wrap_future(store.add(batch.events))
        if not batch.refused:
            return JSONResponse({})
        reasons = "; ".join(batch.refused[:MAX_REASONS])
        more = len(batch.refused) - MAX_REASONS
        message = f"{reasons}; and {more} more" if more > 0 else reasons
        _log.warning("refused %d records of %s: %s", len(batch.refused), _client(request), message)
        return JSONResponse(
            {"partialSuccess": {"rejectedLogRecords": str(len(batch.refused)), "errorMessage": message}}
        )

    async def index(request: Request) -> Response:
        page = await _page(store, request, PAGE_EVENTS)
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
        found = await run_in_threadpool(store.get, request.path_params["uid"])
        if found is None:
            raise HTTPException(404, "No event with this identifier is stored here.")
        return HTMLResponse(pages.event(found, now_ns=clock_ns()))

    async def api_events(request: Request) -> Response:
        page = await _page(store, request, _limit(request))
        return JSONResponse({"events": [plain_event(event) for event in page.events], "next": page.next_cursor})

    async def healthy(_request: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def ready(_request: Request) -> Response:
        await run_in_threadpool(store.page, limit=1)
        return PlainTextResponse("ready\n")

    async def style(_request: Request) -> Response:
        return Response(stylesheet, media_type="text/css")

    async def failed(request: Request, exc: Exception) -> Response:
        status, message, headers = _explanation(exc)
        if request.url.path.startswith(("/v1/", "/api/")):
            body = {"code": _RPC_CODES.get(status, _RPC_UNKNOWN), "message": message}
            return JSONResponse(body, status_code=status, headers=headers)
        return HTMLResponse(
            pages.message(f"{status} {HTTPStatus(status).phrase}", message), status_code=status, headers=headers
        )

    app = Starlette(
        routes=[
            Route("/v1/logs", receive, methods=["POST"]),
            Route("/", index),
            Route("/events/{uid}", event),
            Route("/api/events", api_events),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
            Route("/static/style.css", style),
        ],
        exception_handlers={HTTPException: failed, DecodeError: failed, CollectorError: failed},
    )
    app.router.redirect_slashes = False
    return SecurityHeaders(AnswerCancelled(app))


def _explanation(exc: Exception) -> tuple[int, str, dict[str, str]]:
    match exc:
        case HTTPException():
            return exc.status_code, exc.detail, dict(exc.headers or {})
        case DecodeError():
            return 400, str(exc), {}
        case _:
            _log.error("%s", exc)
            return 503, str(exc), {}


async def _page(store: Store, request: Request, limit: int) -> Page:
    query = request.query_params
    try:
        return await run_in_threadpool(
            store.page, limit=limit, before=query.get("before"), node=query.get("node"), comm=query.get("comm")
        )
    except ValueError as exc:
        raise HTTPException(400, f"before: {exc}") from exc


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(PAGE_EVENTS))
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MAX_API_EVENTS):
        raise HTTPException(400, f"limit: {text[:40]!r} is not a number from 1 to {MAX_API_EVENTS}")
    return int(text)


def _client(request: Request) -> str:
    return request.client.host if request.client else "an unknown address"
