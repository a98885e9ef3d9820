"""Answers go out piece by piece: what a client does not take shows, where a transport, TLS' above all, takes all."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kmsg_exporter.collector.protocol import GUEST, Guest

PIECE_BYTES: Final = 64 * 1024


class InPieces:
    """Around an app. Who has the connection is told how large the answer is that its client has not taken yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        guest: Guest | None = scope.get("state", {}).get(GUEST)

        async def in_pieces(message: Message) -> None:
            body: bytes = message.get("body", b"")
            if len(body) <= PIECE_BYTES:
                await send(message)
                return
            if guest is not None:
                guest.owe(len(body))  # until the last piece is on its way: it is held as a whole
            try:
                for end in range(PIECE_BYTES, len(body) + PIECE_BYTES, PIECE_BYTES):
                    more = end < len(body) or message.get("more_body", False)
                    await send({**message, "body": body[end - PIECE_BYTES : end], "more_body": more})
            finally:
                if guest is not None:
                    guest.owe(0)

        await self._app(scope, receive, in_pieces)
