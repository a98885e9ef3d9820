"""`GET /api/events`: the events as JSON, by time in both directions or as they arrive."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kmsg_exporter.collector.asking import Asking
from kmsg_exporter.collector.event import ReceivedEvent
from kmsg_exporter.collector.plain import event_json, plain_event
from kmsg_exporter.collector.question import read_question
from kmsg_exporter.collector.reading import Reading
from kmsg_exporter.errors import DecodeError

DEFAULT_EVENTS: Final = 50
MAX_EVENTS: Final = 500
_CURSORS: Final = ("before", "after", "arrived_after")


def api_routes(reading: Reading, asking: Asking, *, clock_ns: Callable[[], int] = time.time_ns) -> list[Route]:
    """Nothing of it writes."""

    def answer(request: Request) -> bytes:
        query = request.query_params
        given = {name: query[name] for name in _CURSORS if query.get(name)}
        if len(given) > 1:
            raise DecodeError(f"{' and '.join(given)}: only one of them can be followed at a time")
        question, limit = read_question(query, now_ns=clock_ns()), _limit(query.get("limit"))
        try:
            if "arrived_after" in given:
                arrivals = reading.arrivals(question, limit=limit, after=given["arrived_after"])
                return _together(arrivals.events, arrived=arrivals.arrived, more=arrivals.more)
            arrived = reading.arrived()  # before the events: what comes in between is told twice rather than never
            page = reading.page(question, limit=limit, before=given.get("before"), after=given.get("after"))
        except DecodeError as exc:
            raise DecodeError(f"{', '.join(given)}: {exc}") from exc
        return _together(page.events, next=page.next_cursor, previous=page.previous_cursor, arrived=arrived)

    async def events(request: Request) -> Response:
        return Response(await asking(answer, request), media_type="application/json")

    async def event(request: Request) -> Response:
        variant = variant_of(request)
        found = await asking(reading.get, request.path_params["uid"], variant)
        if found is None:
            raise HTTPException(404, "No event with this identifier is stored here.")
        # for people to read, too
        return Response(json.dumps(plain_event(found), indent=2, ensure_ascii=False), media_type="application/json")

    return [Route("/api/events", events), Route("/api/events/{uid}", event)]


def _together(events: Iterable[ReceivedEvent], **beside: object) -> bytes:
    return b'{"events":[%b],%b' % (b",".join(map(event_json, events)), json.dumps(beside)[1:].encode())


def variant_of(request: Request) -> int:
    text = request.query_params.get("variant", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise HTTPException(400, f"variant: {text[:40]!r} is not a number")
    return int(text)


def _limit(text: str | None) -> int:
    if not text:
        return DEFAULT_EVENTS
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MAX_EVENTS):
        raise DecodeError(f"limit: {text[:40]!r} is not a number from 1 to {MAX_EVENTS}")
    return int(text)
