"""What was seen is told from a thread of its own: a disk that takes its time keeps nobody from being named."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from kmsg_exporter.model import Emptying

_log = logging.getLogger(__name__)

_WAITING: Final = 1024
_END_SECONDS: Final = 5.0


class Teller:
    """Calls `tell` with one emptying after the other, in their order; left, it has told all that it was given.

    A disk that hangs is waited for at the end, but not for ever: what it did not take shows at the next start as a
    jump of the log that nobody explains.
    """

    def __init__(self, tell: Callable[[Emptying, int | None], None]) -> None:
        self._tell = tell
        self._queue: queue.Queue[tuple[Emptying, int | None] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="teller", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(queue.Full):
            self._queue.put(None, timeout=_END_SECONDS)
            self._thread.join(_END_SECONDS)

    def put(self, emptying: Emptying, visible_from: int | None) -> None:
        """To be told soon. With very many waiting for a disk that hangs, the log alone says what is lost."""
        try:
            self._queue.put_nowait((emptying, visible_from))
        except queue.Full:
            who = "an unknown process" if emptying.actor is None else f"{emptying.actor.comm} ({emptying.actor.exe})"
            _log.error("the disk takes nothing: that %s emptied dmesg is not stored", who)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                self._tell(*item)
            except Exception:  # noqa: BLE001  the thread's outermost loop: it must not die silently
                _log.exception("an emptying could not be told")
