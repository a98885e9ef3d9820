"""What each request passes first: it is counted, maybe logged, let in or not, and not one too many."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from typing import Final, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kmsg_exporter.collector.counts import Counts

MAX_REQUESTS: Final = 256
# A password that is new takes some 70 ms of a core, one after the other: more than this would wait for 5 seconds.
MAX_CHECKS: Final = 64
OPEN: Final = ("/-/healthy", "/-/ready")
_SHOWN: Final = 200

_log = logging.getLogger(__name__)


class Asks(Protocol):
    """What a Guard is here."""

    def allow(self, authorization: str | None) -> bool: ...
    def verdict(self, authorization: str | None) -> bool | None: ...
    def challenges(self) -> tuple[str, ...]: ...


class Entrance:
    """In front of an app. Health needs no password: a kubelet has none."""

    def __init__(self, app: ASGIApp, counts: Counts, *, guard: Asks | None = None, log: bool = False) -> None:
        self._app = app
        self._counts = counts
        self._guard = guard
        self._log = log
        self._under_way = 0
        self._waiting = 0
        self._checking = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.monotonic(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if scope["path"] in OPEN:
                await self._app(scope, receive, watched)
            elif refusal := await self._refusal(scope):
                await refusal(scope, receive, watched)
            else:
                await self._answered(scope, receive, watched)
        finally:
            self._counts.requests[status] += 1
            if self._log:
                _log_request(scope, status, time.monotonic() - began)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Only who is let in takes one of the places."""
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1

    async def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Who is not let in, or not now, is told so at once; a password that is not known yet waits to be checked."""
        if self._guard is not None:
            verdict = self._guard.verdict(authorization := Headers(scope=scope).get("authorization"))
            if verdict is None:
                if self._waiting >= MAX_CHECKS:
                    return _busy(f"{MAX_CHECKS} passwords are being checked")
                verdict = await self._checked(self._guard, authorization)
            if not verdict:
                return _unknown(self._guard)
        if self._under_way >= MAX_REQUESTS:
            return _busy(f"{MAX_REQUESTS} requests are being answered")
        return None

    async def _checked(self, guard: Asks, authorization: str | None) -> bool:
        self._waiting += 1
        try:
            async with self._checking:  # one at a time, so that threads are left for those who are known
                return await run_in_threadpool(guard.allow, authorization)
        finally:
            self._waiting -= 1


def _busy(what: str) -> ASGIApp:
    return JSONResponse({"code": 14, "message": f"{what}, as many as allowed"}, 503, {"Retry-After": "1"})


def _unknown(guard: Asks) -> ASGIApp:
    answer = JSONResponse(
        {"code": 16, "message": "a name and its password, or a token, that this collector knows is needed"}, 401
    )
    for challenge in guard.challenges():
        answer.headers.append("WWW-Authenticate", challenge)
    return answer


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Never the query or a header that may hold a secret."""
    client = scope["client"][0].removeprefix("::ffff:") if scope["client"] else ""
    agent = Headers(scope=scope).get("user-agent")
    fields = {
        "client": client,
        "method": scope["method"],
        "path": scope["path"][:_SHOWN],
        "status": status,
        "duration_seconds": round(seconds, 6),
        "user_agent": None if agent is None else agent[:_SHOWN],
    }
    _log.info("%s %s %d", fields["method"], fields["path"], status, extra={"fields": fields})


class OneToken:
    """Lets in who knows this one token, which lives in memory alone."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}".encode()

    def allow(self, authorization: str | None) -> bool:
        return hmac.compare_digest((authorization or "").encode(), self._header)

    verdict = allow

    def challenges(self) -> tuple[str, ...]:
        return ("Bearer",)
