"""What was seen is told from a thread of its own: a disk that takes its time keeps nobody from being named."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from kmsg_exporter.agent.coalesce import coalesce
from kmsg_exporter.model import Emptying

_log = logging.getLogger(__name__)

_END_SECONDS: Final = 5.0
APART_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """An emptying to be told. `visible_from` is the ring position that it explains, `number` the last one in it."""

    emptying: Emptying
    visible_from: int | None
    number: int


class Teller:
    """Calls `tell` with emptyings, in their order; left, it has told all that it was given.

    The first is told at once. What follows within `apart_seconds`, or while the disk takes its time, becomes one event
    with at most `sample` hidden records: a log that is emptied in a loop sends no storm, and a disk that hangs takes no
    memory. What waits is handed to `draft` first, for an agent that is killed; `tell` and `draft` say whether it can't
    be lost any more then, and `kept` is told up to which number that is so. What comes while `tell` is at the disk is
    not drafted before that is over: who comes after an agent that was killed then knows of it by its number alone.

    A disk that hangs is waited for at the end, but not for ever: what it was taking is in the draft.
    """

    def __init__(
        self,
        tell: Callable[[Told], bool],
        *,
        sample: int,
        draft: Callable[[Told], bool],
        kept: Callable[[int], None],
        apart_seconds: float = APART_SECONDS,
    ) -> None:
        self._tell = tell
        self._draft = draft
        self._kept = kept
        self._sample = sample
        self._apart_seconds = apart_seconds
        self._changed = threading.Condition()
        self._held: Told | None = None
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="teller", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(_END_SECONDS)

    def put(self, told: Told) -> None:
        """To be told soon."""
        with self._changed:
            if self._held is not None:
                told = Told(
                    coalesce(self._held.emptying, told.emptying, sample=self._sample), told.visible_from, told.number
                )
            self._held = told
            self._changed.notify()

    def _run(self) -> None:
        drafted: Told | None = None
        due = 0.0
        while True:
            with self._changed:
                wait = None if drafted is None else max(0.0, due - time.monotonic())
                self._changed.wait_for(lambda: self._ending or self._held is not drafted, wait)  # noqa: B023
                held, ending = self._held, self._ending
            if held is None:
                return
            if held is not drafted:
                drafted = held
                self._keep(self._draft, held)
            if ending or time.monotonic() >= due:
                with self._changed:
                    held, self._held = self._held or held, None
                self._keep(self._tell, held)
                drafted, due = None, time.monotonic() + self._apart_seconds

    def _keep(self, how: Callable[[Told], bool], told: Told) -> None:
        try:
            if how(told):
                self._kept(told.number)
        except Exception:  # noqa: BLE001  the thread's outermost loop: it must not die silently
            _log.exception("an emptying could not be told")
