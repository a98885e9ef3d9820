"""The end that a signal asks for: what was made is put back first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """A context manager for the main thread. `wake` is called when the end is asked for."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._asked = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._signalled) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        self._asked.set()
        self.wake()

    def wait(self, seconds: float) -> bool:
        """Whether the end was asked for within this time."""
        return self._asked.wait(seconds)

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self.ask()
