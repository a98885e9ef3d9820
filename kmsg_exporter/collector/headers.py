"""What every answer carries, and an answer for requests that a stopping server cuts off."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_RAW: Final = {name.lower().encode(): value.encode() for name, value in _HEADERS.items()}  # once, not for each answer


class SecurityHeaders:
    """Adds the headers to each answer of an app, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [pair for pair in message.get("headers", ()) if pair[0].lower() not in _RAW]
                message["headers"] = [*given, *_RAW.items()]
            await send(message)

        await self._app(scope, receive, send_with_headers)


class AnswerCancelled:
    """Turns the cancelling of an unanswered request into a 503, so that its sender tries again."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except asyncio.CancelledError:
            if started:
                raise
            stopping = JSONResponse(
                {"code": 14, "message": "the collector is stopping"}, 503, {"Connection": "close", "Retry-After": "1"}
            )
            await stopping(scope, receive, send)
