"""What a command is at, for a person who waits: on a terminal only, and not before two seconds."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

_QUIET_SECONDS: Final = 2.0
_STEP_SECONDS: Final = 1.0


class Progress:
    """A context manager: one line that changes, gone when it is left. Called, it is told what is done now.

    A thread of its own writes the line: what takes long says nothing itself.
    """

    def __init__(
        self,
        stream: TextIO | None,
        *,
        quiet_seconds: float | None = None,
        step_seconds: float = _STEP_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._quiet = _QUIET_SECONDS if quiet_seconds is None else quiet_seconds
        self._step = step_seconds
        self._monotonic = monotonic
        self._what = ""
        self._since = monotonic()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._stream is not None:
            self._thread = threading.Thread(target=self._show, args=(self._stream,), name="progress", daemon=True)
            before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # it inherits them: they are ours
            self._thread.start()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def __call__(self, what: str) -> None:
        self._what = what

    def _show(self, stream: TextIO) -> None:
        if self._over.wait(self._quiet):
            return
        try:
            while True:
                stream.write(f"\r\x1b[K{self._what} ({self._monotonic() - self._since:.0f} s)")
                stream.flush()
                if self._over.wait(self._step):
                    break
            stream.write("\r\x1b[K")
            stream.flush()
        except OSError:  # the terminal is gone
            return
