"""OTLP logs in: `POST /v1/logs`, answered when they are on disk."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kmsg_exporter.collector.body import MAX_BODY_BYTES, Room, read_json_body
from kmsg_exporter.collector.counts import Counts
from kmsg_exporter.collector.decode import Batch, decode_logs
from kmsg_exporter.collector.store import MAX_VARIANTS, Outcome, Store

MAX_REASONS: Final = 3
INLINE_BYTES: Final = 64 * 1024
# A body of 4 MiB is many times that while it is decoded.
DECODED_AT_ONCE: Final = 4
STORE_SECONDS: Final = 30.0

_log = logging.getLogger(__name__)


def intake_routes(
    store: Store, counts: Counts, *, max_body_bytes: int = MAX_BODY_BYTES, page: str = "../"
) -> list[Route]:
    """The write path on a store that is open. `page` is where people look, from /v1/logs: agents link there."""
    links = {"Link": f'<{page}>; rel="collection"'}
    room, decoding = Room(), asyncio.Semaphore(DECODED_AT_ONCE)

    async def receive(request: Request) -> Response:
        with room.share() as take:
            body = await read_json_body(request, limit_bytes=max_body_bytes, take=take)
            # a thread of its own costs as much as some tens of KB; more would hold up everybody else
            if len(body) <= INLINE_BYTES:
                batch = decode_logs(body)
            else:
                async with decoding:
                    batch = await run_in_threadpool(decode_logs, body)
            del body
            outcome = await _stored(store, batch)
        counts.rejected.update(batch.kinds)
        counts.rejected["variants"] += outcome.surplus
        if not batch.refused and not outcome.surplus:
            return JSONResponse({}, headers=links)
        rejected, message = len(batch.refused) + outcome.surplus, _reasons(batch, outcome)
        _log.warning("refused %d records of %s: %s", rejected, _client(request), message)
        return JSONResponse(
            {"partialSuccess": {"rejectedLogRecords": str(rejected), "errorMessage": message}}, headers=links
        )

    return [Route("/v1/logs", receive, methods=["POST"])]


async def _stored(store: Store, batch: Batch) -> Outcome:
    if not batch.events and not batch.hellos:
        return Outcome()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(store.add(batch.events, batch.hellos)), STORE_SECONDS)
    except TimeoutError as exc:
        raise HTTPException(
            503, f"the store took more than {STORE_SECONDS:g} seconds: try again", {"Retry-After": "10"}
        ) from exc


def _reasons(batch: Batch, outcome: Outcome) -> str:
    reasons = list(batch.refused)
    if outcome.surplus:
        reasons.insert(0, f"{outcome.surplus} of a uid of which {MAX_VARIANTS} other events are stored")
    message = "; ".join(reasons[:MAX_REASONS])
    more = len(reasons) - MAX_REASONS
    return f"{message}; and {more} more" if more > 0 else message


def _client(request: Request) -> str:
    return request.client.host if request.client else "an unknown address"
