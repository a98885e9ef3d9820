"""OTLP logs in: `POST /v1/logs`, answered when they are on disk."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kmsg_exporter.collector.body import MAX_BODY_BYTES, read_json_body
from kmsg_exporter.collector.decode import decode_logs
from kmsg_exporter.collector.store import Store

MAX_REASONS: Final = 3
INLINE_BYTES: Final = 64 * 1024

_log = logging.getLogger(__name__)


def intake_routes(store: Store, *, max_body_bytes: int = MAX_BODY_BYTES) -> list[Route]:
    """The write path on a store that is open."""

    async def receive(request: Request) -> Response:
        body = await read_json_body(request, limit_bytes=max_body_bytes)
        # a thread of its own costs as much as some tens of KB; more would hold up everybody else
        batch = decode_logs(body) if len(body) <= INLINE_BYTES else await run_in_threadpool(decode_logs, body)
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

    return [Route("/v1/logs", receive, methods=["POST"])]


def _client(request: Request) -> str:
    return request.client.host if request.client else "an unknown address"
