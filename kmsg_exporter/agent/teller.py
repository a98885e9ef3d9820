"""What was seen is told from a thread of its own: a disk that takes its time keeps nobody from being named."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from kmsg_exporter.agent.coalesce import coalesce
from kmsg_exporter.model import Emptying

_log = logging.getLogger(__name__)

_WAITING: Final = 1024
_END_SECONDS: Final = 5.0
APART_SECONDS: Final = 1.0

_Told = tuple[Emptying, int | None]


class Teller:
    """Calls `tell` with emptyings, in their order; left, it has told all that it was given.

    The first is told at once. What follows within `apart_seconds` becomes one event, told when they are over, with at
    most `sample` hidden records: a log that is emptied in a loop sends no storm. A process that is killed meanwhile has
    not stored where the log stood, and the next one tells it.

    A disk that hangs is waited for at the end, but not for ever: what it did not take shows at the next start as a
    jump of the log that nobody explains.
    """

    def __init__(
        self, tell: Callable[[Emptying, int | None], None], *, sample: int, apart_seconds: float = APART_SECONDS
    ) -> None:
        self._tell = tell
        self._sample = sample
        self._apart_seconds = apart_seconds
        self._queue: queue.Queue[_Told | None] = queue.Queue(_WAITING)
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
        held: _Told | None = None
        due = 0.0
        while True:
            try:
                item = self._queue.get(timeout=None if held is None else max(0.0, due - time.monotonic()))
            except queue.Empty:
                pass
            else:
                if item is None:
                    break
                held = item if held is None else (coalesce(held[0], item[0], sample=self._sample), item[1])
            if held is not None and time.monotonic() >= due:
                self._tell_one(held)
                held, due = None, time.monotonic() + self._apart_seconds
        if held is not None:
            self._tell_one(held)

    def _tell_one(self, told: _Told) -> None:
        try:
            self._tell(*told)
        except Exception:  # noqa: BLE001  the thread's outermost loop: it must not die silently
            _log.exception("an emptying could not be told")
