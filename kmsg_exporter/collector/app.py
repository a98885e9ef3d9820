"""The collector's HTTP: what it takes in, what it shows, its health, and errors in the form of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from kmsg_exporter.collector.body import MAX_BODY_BYTES
from kmsg_exporter.collector.counts import Counts
from kmsg_exporter.collector.entrance import Asks, Entrance
from kmsg_exporter.collector.errors import explanation, rpc_answer
from kmsg_exporter.collector.figures import CONTENT_TYPE, Figures
from kmsg_exporter.collector.headers import AnswerCancelled, SecurityHeaders
from kmsg_exporter.collector.intake import Intake
from kmsg_exporter.collector.pages import Pages
from kmsg_exporter.collector.pieces import InPieces
from kmsg_exporter.collector.reading import Reading
from kmsg_exporter.collector.silence import Silence
from kmsg_exporter.collector.site import site_routes
from kmsg_exporter.collector.store import Store
from kmsg_exporter.errors import CollectorError, DecodeError

CHECK_SECONDS: Final = 10.0
_CHECKED_SECONDS: Final = 1.0


class Parts:
    """The parts of the collector's HTTP on a store that is open. Who made the store closes it."""

    def __init__(
        self,
        store: Store,
        figures: Figures,
        counts: Counts,
        silence: Silence,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        max_body_bytes: int = MAX_BODY_BYTES,
        page: str = "../",
        log: bool = False,
    ) -> None:
        """`page` is where people look, as seen from /v1/logs."""
        self._counts = counts
        self._log = log
        self._pages = Pages()
        reading = Reading(store.path)
        self._health = _health_routes(store, reading)
        self._intake = Intake(store, counts, max_body_bytes=max_body_bytes, page=page)
        site = site_routes(reading, self._pages, silence, clock_ns=clock_ns)
        self._site = [*site, _metrics_route(figures)]

    def app(self, *, intake: bool = True, site: bool = True, guard: Asks | None = None) -> ASGIApp:
        """What takes events, what shows them, or both, and health, behind a guard."""
        handlers = {HTTPException: self._failed, DecodeError: self._failed, CollectorError: self._failed}
        starlette = Starlette(routes=[*(self._site if site else ()), *self._health], exception_handlers=handlers)
        starlette.router.redirect_slashes = False
        app = self._intake.before(starlette) if intake else starlette
        return InPieces(SecurityHeaders(Entrance(AnswerCancelled(app), self._counts, guard=guard, log=self._log)))

    async def _failed(self, request: Request, exc: Exception) -> Response:
        status, message, headers = explanation(exc)
        if request.url.path.startswith(("/v1/", "/api/")):
            return rpc_answer(status, message, headers)
        if request.url.path.startswith("/-/"):
            return PlainTextResponse(f"{message}\n", status_code=status, headers=headers)
        return HTMLResponse(
            self._pages.message(f"{status} {HTTPStatus(status).phrase}", message), status_code=status, headers=headers
        )


def _health_routes(store: Store, reading: Reading) -> list[Route]:
    checking = asyncio.Lock()
    checked_at = float("-inf")

    async def healthy(_request: Request) -> Response:
        if store.hung:
            return PlainTextResponse("not healthy: nothing is stored any more: restart it\n", 503)
        return PlainTextResponse("healthy\n")

    async def ready(_request: Request) -> Response:
        nonlocal checked_at
        async with checking:
            if time.monotonic() - checked_at > _CHECKED_SECONDS:
                await run_in_threadpool(reading.arrived)
                try:
                    await asyncio.wait_for(asyncio.wrap_future(store.check()), CHECK_SECONDS)
                except TimeoutError as exc:
                    raise CollectorError(f"the store took more than {CHECK_SECONDS:g} seconds to be written") from exc
                checked_at = time.monotonic()
        return PlainTextResponse("ready\n")

    return [Route("/-/healthy", healthy), Route("/-/ready", ready)]


def _metrics_route(figures: Figures) -> Route:
    async def metrics(_request: Request) -> Response:
        return Response(await run_in_threadpool(figures.render), headers={"Content-Type": CONTENT_TYPE})

    return Route("/metrics", metrics)
