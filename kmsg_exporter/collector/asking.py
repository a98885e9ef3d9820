"""Questions to the store from requests: in threads, a few at a time, so that no sender of events has to wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool

QUESTIONS_AT_ONCE: Final = 4

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Asking:
    """Calls that take one of a few places."""

    def __init__(self, at_once: int = QUESTIONS_AT_ONCE) -> None:
        self._places = asyncio.Semaphore(at_once)

    async def __call__(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        async with self._places:
            return await run_in_threadpool(call, *args, **kwargs)
