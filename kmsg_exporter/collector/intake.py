"""OTLP logs in: `POST /v1/logs`, answered when they are on disk."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from kmsg_exporter.collector.body import MAX_BODY_BYTES, Room, read_json_body
from kmsg_exporter.collector.counts import Counts
from kmsg_exporter.collector.decode import Batch, decode_logs
from kmsg_exporter.collector.errors import explanation, rpc_answer
from kmsg_exporter.collector.store import MAX_VARIANTS, Outcome, Store
from kmsg_exporter.errors import CollectorError, DecodeError

PATH: Final = "/v1/logs"
MAX_REASONS: Final = 3
INLINE_BYTES: Final = 64 * 1024
STORE_SECONDS: Final = 30.0
_LATER: Final = {"Retry-After": "10"}

_log = logging.getLogger(__name__)


class Intake:
    """In front of an app, which gets all other requests: nearly all that comes is for this, and passes no router.

    `page` is where people look, from /v1/logs: agents link there.
    """

    def __init__(
        self, store: Store, counts: Counts, *, max_body_bytes: int = MAX_BODY_BYTES, page: str = "../"
    ) -> None:
        self._links = {"Link": f'<{page}>; rel="collection"'}
        self._done = _done([(name.lower().encode(), value.encode()) for name, value in self._links.items()])
        self._store = store
        self._counts = counts
        self._max_body_bytes = max_body_bytes
        self._room = Room()
        # one at a time: it is many times its body while it is decoded, and two would not be quicker with one GIL
        self._decoding = asyncio.Lock()

    def before(self, app: ASGIApp) -> ASGIApp:
        async def receive_or_pass(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == PATH:
                await (await self._answer(scope, receive))(scope, receive, send)
            else:
                await app(scope, receive, send)

        return receive_or_pass

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        try:
            if scope["method"] != "POST":
                raise HTTPException(405, headers={"Allow": "POST"})
            return await self._taken(scope, receive)
        except (HTTPException, CollectorError) as exc:
            return rpc_answer(*explanation(exc))

    async def _taken(self, scope: Scope, receive: Receive) -> ASGIApp:
        if self._store.hung:
            raise HTTPException(503, "nothing is stored any more: try again later", _LATER)
        with self._room.share() as take:
            body = await read_json_body(scope["headers"], receive, limit_bytes=self._max_body_bytes, take=take)
            # a thread of its own costs as much as some tens of KB; more would hold up everybody else
            if len(body) <= INLINE_BYTES:
                batch = _decoded(body)
            else:
                async with self._decoding:
                    batch = await run_in_threadpool(_decoded, body)
            if not isinstance(batch, Batch):
                return rpc_answer(*batch)
            take(batch.bytes - len(body))
            del body
            outcome = await _stored(self._store, batch)
        if batch.kinds:
            self._counts.rejected.update(batch.kinds)
        self._counts.rejected["variants"] += outcome.surplus
        if not batch.refused and not outcome.surplus:
            return self._done
        rejected, message = len(batch.refused) + outcome.surplus, _reasons(batch, outcome)
        _log.warning("refused %d records of %s: %s", rejected, _client(scope), message)
        return JSONResponse(
            {"partialSuccess": {"rejectedLogRecords": str(rejected), "errorMessage": message}}, headers=self._links
        )


def _done(links: list[tuple[bytes, bytes]]) -> ASGIApp:
    """The answer to whom all was taken, which nearly all are."""
    headers = [(b"content-length", b"2"), (b"content-type", b"application/json"), *links]

    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    return answer


def _decoded(body: bytes) -> Batch | tuple[int, str, dict[str, str]]:
    """What was wrong as its answer: an exception would keep what was made of the body until garbage is collected."""
    try:
        return decode_logs(body)
    except DecodeError as exc:
        return explanation(exc)


async def _stored(store: Store, batch: Batch) -> Outcome:
    if not batch.events and not batch.hellos:
        return Outcome()
    try:
        return await asyncio.wait_for(asyncio.wrap_future(store.add(batch.events, batch.hellos)), STORE_SECONDS)
    except TimeoutError as exc:
        raise HTTPException(503, f"the store took more than {STORE_SECONDS:g} seconds: try again", _LATER) from exc


def _reasons(batch: Batch, outcome: Outcome) -> str:
    reasons = list(batch.refused)
    if outcome.surplus:
        reasons.insert(0, f"{outcome.surplus} of a uid of which {MAX_VARIANTS} other events are stored")
    message = "; ".join(reasons[:MAX_REASONS])
    more = len(reasons) - MAX_REASONS
    return f"{message}; and {more} more" if more > 0 else message


def _client(scope: Scope) -> str:
    return scope["client"][0] if scope["client"] else "an unknown address"
