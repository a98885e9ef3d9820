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
        self._checking = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.monotonic(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._under_way += 1
        try:
            await (await self._chosen(scope))(scope, receive, watched)
        finally:
            self._under_way -= 1
            self._counts.requests[status] += 1
            if self._log:
                _log_request(scope, status, time.monotonic() - began)

    async def _chosen(self, scope: Scope) -> ASGIApp:
        if scope["path"] in OPEN:
            return self._app
        if self._under_way > MAX_REQUESTS:
            return JSONResponse(
                {"code": 14, "message": f"{MAX_REQUESTS} requests are being answered, as many as allowed"},
                503,
                {"Retry-After": "1"},
            )
        if self._guard is None or await self._allowed(self._guard, scope):
            return self._app
        answer = JSONResponse(
            {"code": 16, "message": "a name and its password, or a token, that this collector knows is needed"}, 401
        )
        for challenge in self._guard.challenges():
            answer.headers.append("WWW-Authenticate", challenge)
        return answer

    async def _allowed(self, guard: Asks, scope: Scope) -> bool:
        authorization = Headers(scope=scope).get("authorization")
        verdict = guard.verdict(authorization)
        if verdict is not None:
            return verdict
        async with self._checking:  # one at a time, so that threads are left for those who are known
            return await run_in_threadpool(guard.allow, authorization)


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Never the query or a header that may hold a secret."""
    client = scope["client"][0] if scope["client"] else ""
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
