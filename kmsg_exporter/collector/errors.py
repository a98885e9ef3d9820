"""What a request that fails is answered: a status, a sentence, and the form that programs expect."""

from __future__ import annotations

import logging
from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from kmsg_exporter.errors import BodyTooLarge, DecodeError

_RETRY_AFTER: Final = {"Retry-After": "10"}
# google.rpc.Code, as OTLP/HTTP wants its errors
_RPC_CODES: Final = {400: 3, 404: 5, 405: 12, 408: 4, 413: 3, 415: 3, 503: 14}
_RPC_UNKNOWN: Final = 2

_log = logging.getLogger(__name__)


def explanation(exc: Exception) -> tuple[int, str, dict[str, str]]:
    """The status, what to say, and headers."""
    match exc:
        case HTTPException():
            return exc.status_code, exc.detail, dict(exc.headers or {})
        case BodyTooLarge():
            return 413, str(exc), {}
        case DecodeError():
            return 400, str(exc), {}
        case _:
            _log.debug("%s", exc)  # the store has said it once
            return 503, str(exc), dict(_RETRY_AFTER)


def rpc_answer(status: int, message: str, headers: dict[str, str]) -> JSONResponse:
    """As google.rpc.Status."""
    return JSONResponse({"code": _RPC_CODES.get(status, _RPC_UNKNOWN), "message": message}, status, headers)
