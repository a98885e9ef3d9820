"""The end that a signal asks for: what was made is put back first."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ending:
    """A context manager for the main thread. `wake` is called when the end is asked for, maybe by a signal's handler.

    It has no lock: a signal may come while that is held, and its handler would wait for itself.
    """

    def __init__(self) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._asked = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)  # whoever waits for it sees it, it is never read
        self._over = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._signalled) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __del__(self) -> None:
        os.close(self._asked)

    @property
    def asked(self) -> bool:
        return self._over

    def ask(self) -> None:
        self._over = True
        os.eventfd_write(self._asked, 1)
        self.wake()

    def wait(self, seconds: float) -> bool:
        """Whether the end was asked for within this time."""
        poll = select.poll()
        poll.register(self._asked, select.POLLIN)
        poll.poll(seconds * 1000)
        return self._over

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self.ask()
