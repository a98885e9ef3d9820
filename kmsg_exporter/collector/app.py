"""The collector's HTTP: what it takes in, what it shows, its health, and errors in the form of each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kmsg_exporter.collector.body import MAX_BODY_BYTES
from kmsg_exporter.collector.headers import AnswerCancelled, SecurityHeaders
from kmsg_exporter.collector.intake import intake_routes
from kmsg_exporter.collector.pages import Pages
from kmsg_exporter.collector.reading import Reading
from kmsg_exporter.collector.site import site_routes
from kmsg_exporter.collector.store import Store
from kmsg_exporter.errors import CollectorError, DecodeError

# google.rpc.Code, as OTLP/HTTP wants its errors
_RPC_CODES: Final = {400: 3, 404: 5, 405: 12, 408: 4, 413: 3, 415: 3, 503: 14}
_RPC_UNKNOWN: Final = 2

_log = logging.getLogger(__name__)


def create_app(
    store: Store, *, clock_ns: Callable[[], int] = time.time_ns, max_body_bytes: int = MAX_BODY_BYTES
) -> ASGIApp:
    """The collector on a store that is open. Who made the store closes it."""
    pages = Pages()
    reading = Reading(store.path)

    async def healthy(_request: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def ready(_request: Request) -> Response:
        await run_in_threadpool(reading.arrived)
        return PlainTextResponse("ready\n")

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
            *intake_routes(store, max_body_bytes=max_body_bytes),
            *site_routes(reading, pages, clock_ns=clock_ns),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
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
