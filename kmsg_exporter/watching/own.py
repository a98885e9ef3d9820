"""Tracing by this process, where no agent does it: a whole agent without web server and push, gone at the end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Self

from kmsg_exporter.agent.agent import Agent
from kmsg_exporter.config import Config
from kmsg_exporter.emptied import Emptied
from kmsg_exporter.errors import KmsgExporterError, TracefsError
from kmsg_exporter.push.identity import RingPosition
from kmsg_exporter.watching.snapshot import Snapshot, decode
from kmsg_exporter.watching.sources import EVENTS, history_of, past_of

_log: Final = logging.getLogger(__name__)

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0


class OwnTracing:
    """A context manager. `position` is where the log stood at the last emptying that is known already.

    Entering raises AlreadyRunning, NotPermitted and TracefsError. An agent that starts meanwhile waits for it:
    `is_wanted` says so.
    """

    def __init__(self, config: Config, *, position: RingPosition | None = None) -> None:
        self._config = config
        self._position = position
        self._agent: Agent | None = None
        self._begun = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="tracing", daemon=True)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(TemporaryDirectory(prefix="kmsg-exporter-watch-")))
            self._thread.start()
            stack.callback(self._stop)
            if not self._begun.wait(_START_SECONDS):
                raise TracefsError(f"tracing did not begin within {_START_SECONDS:.0f} s: is the machine very busy?")
            if self._error is not None:
                raise self._error
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ask(self, get: str, **params: Any) -> Any:
        """As `local.ask`. Raises KmsgExporterError when tracing has ended."""
        if self._agent is None or self._error is not None or not self._thread.is_alive():
            raise KmsgExporterError(f"tracing has ended: {self._error or 'it was stopped'}")
        return self._agent.answers[get](params)

    def is_wanted(self) -> bool:
        """Whether an agent waits for this node."""
        return self._agent is not None and self._agent.is_wanted()

    def _run(self) -> None:
        """All in one thread: what it traces are others' calls, not its own."""
        try:
            with Agent(self._private(), {}, position=self._position, gives_way=True) as agent:
                self._agent = agent
                self._begun.set()
                agent.run()
        except Exception as exc:  # noqa: BLE001  the thread's outermost frame: who waits is told
            self._error = exc
            _log.debug("tracing ended", exc_info=exc)
        self._begun.set()

    def _private(self) -> Config:
        return replace(
            self._config,
            web_listen_address=(),
            web_config_file=None,
            push_endpoint=None,
            collector_embedded=False,
            trace_keep_on_exit=False,
            state_directory=self._folder,
            runtime_directory=self._folder,
        )

    def _stop(self) -> None:
        if self._agent is not None:
            self._agent.stop()
        self._thread.join(_STOP_SECONDS)


class Traced:
    """Tracing of our own; what an agent has stored before is shown with it. Raises KmsgExporterError."""

    def __init__(self, config: Config) -> None:
        self._past = past_of(config)
        self._stack = ExitStack()
        self._own = self._stack.enter_context(OwnTracing(config, position=_position(self._past)))
        self.snapshot()

    def title(self) -> str:
        return self._title

    def snapshot(self) -> Snapshot:
        now = decode(self._own.ask("snapshot"))
        self._title = f"this command's own tracing ({now.backend})"
        return now

    def emptyings(self) -> Sequence[Emptied]:
        mine = history_of(lambda limit: self._own.ask("history", limit=limit))
        return [*mine, *self._past][:EVENTS]

    def is_wanted(self) -> bool:
        return self._own.is_wanted()

    def close(self) -> None:
        self._stack.close()


def _position(past: Sequence[Emptied]) -> RingPosition | None:
    """Where the log stood after the last emptying that is known."""
    for event in past:
        boot, last = event.text("kmsg.boot_id"), event.number("kmsg.hidden.last_seq")
        if boot and last is not None:
            return RingPosition(boot, last + 1)
    return None
