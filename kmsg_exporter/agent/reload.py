"""The configuration read again while the agent runs: what may change then does, the rest is named."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from kmsg_exporter.config import OPTIONS, Config
from kmsg_exporter.errors import ConfigError
from kmsg_exporter.model import ConfigState

_log = logging.getLogger(__name__)

_END_SECONDS: Final = 5.0
_CHANGES: Final = frozenset(
    {
        "push.endpoint",
        "push.timeout-seconds",
        "push.headers-file",
        "push.bearer-token-file",
        "push.hello-interval-seconds",
    }
)


class Reloader:
    """Entered, it reads the configuration whenever `ask` is called, in a thread of its own, and hands it to `apply`."""

    def __init__(self, config: Config, read: Callable[[], Config], apply: Callable[[Config], None]) -> None:
        """`read` and `apply` may raise ConfigError: everything stays as it was then."""
        self._config = config
        self._read = read
        self._apply = apply
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self.state = ConfigState(last_reload_successful=True, last_success_timestamp_seconds=time.time())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._asked.put(False)
        self._thread.join(_END_SECONDS)

    def ask(self) -> None:
        """From a signal handler too: this queue may be put into from one."""
        self._asked.put(True)

    def _run(self) -> None:
        while self._asked.get():
            try:
                self._reload()
            except ConfigError as exc:
                _log.error("the configuration was not read again, all stays as it was: %s", exc)
                self.state = replace(self.state, last_reload_successful=False)
            except Exception:  # noqa: BLE001  the thread's outermost loop: it must not die silently
                _log.exception("the configuration could not be read again")
                self.state = replace(self.state, last_reload_successful=False)

    def _reload(self) -> None:
        fresh, running = self._read(), self._config
        changed = [option for option in OPTIONS if getattr(fresh, option.field) != getattr(running, option.field)]
        taken = {option.field: getattr(fresh, option.field) for option in changed if option.name in _CHANGES}
        config = replace(running, **taken)
        self._apply(config)
        self._config = config
        self.state = ConfigState(last_reload_successful=True, last_success_timestamp_seconds=time.time())
        names = ", ".join(option.name for option in changed if option.name in _CHANGES)
        _log.info("the configuration was read again; changed: %s", names or "nothing")
        if late := [option.name for option in changed if option.name not in _CHANGES]:
            _log.warning("changed too, and taken over at the next start only: %s", ", ".join(late))
