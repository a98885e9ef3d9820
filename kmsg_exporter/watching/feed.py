"""One moment after the other from whatever source there is; when one goes away or a better one comes, it goes on."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from kmsg_exporter.agent.place import SOCKET_NAME
from kmsg_exporter.config import Config
from kmsg_exporter.emptied import Emptied
from kmsg_exporter.errors import AlreadyRunning, KmsgExporterError, NotPermitted
from kmsg_exporter.local import AgentNotReachedError
from kmsg_exporter.watching.snapshot import Snapshot
from kmsg_exporter.watching.sources import Attached, Looked, Source

GRACE_SECONDS: Final = 10.0  # an agent that restarts is back within it
_WAITING: Final = "nobody: waiting for the agent"
_NOT_ROOT: Final = "not root, so nobody is named: sudo kmsg-exporter watch asks the agent, or traces by itself"


@dataclass(frozen=True, slots=True)
class Moment:
    """What is known now. `before` is the snapshot to compare with; `snapshot` is an old one if this is not `fresh`.

    `notes` are what has changed about the source since the moment before, a sentence each.
    """

    unix: float
    source: str
    snapshot: Snapshot | None
    before: Snapshot | None
    emptyings: Sequence[Emptied]
    notes: tuple[str, ...] = ()
    fresh: bool = True


class Feed:
    """A context manager: entered, it has a source. Entering raises NotPermitted where there is nothing to be seen."""

    def __init__(
        self,
        config: Config,
        *,
        is_root: Callable[[], bool] = lambda: os.geteuid() == 0,
        monotonic: Callable[[], float] = time.monotonic,
        attach: Callable[[], Source] | None = None,
        trace: Callable[[], Source] | None = None,
        look: Callable[[str], Source] | None = None,
    ) -> None:
        self._is_root = is_root
        self._monotonic = monotonic
        self._attach = attach or (lambda: Attached(config.runtime_directory / SOCKET_NAME))
        self._trace = trace or (lambda: _traced(config))
        self._look = look or (lambda why: Looked(config, why))
        self._source: Source | None = None
        self._best = False
        self._try_again = 0.0
        self._last: Snapshot | None = None
        self._emptyings: Sequence[Emptied] = ()
        self._told: tuple[str, int] | None = None
        self._notes: deque[str] = deque()
        self._complaint = ""

    def __enter__(self) -> Self:
        self._choose()
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    def next(self, *, keep_notes: bool = False) -> Moment:
        """The next moment, at once. Never raises for a source that ended: another is found, or waited for.

        With `keep_notes` they are said with the moment after it.
        """
        self._change()
        before, now = self._last, None
        if self._source is not None:
            try:
                now = self._source.snapshot()
                self._read_emptyings(now)
            except KmsgExporterError as exc:
                self._lose(exc)
        notes = () if keep_notes else tuple(self._notes.popleft() for _ in range(len(self._notes)))
        if now is None:
            return Moment(time.time(), _WAITING, before, None, self._emptyings, notes, fresh=False)
        self._last = now
        title = "" if self._source is None else self._source.title()
        return Moment(time.time(), title, now, before, self._emptyings, notes)

    def note(self, text: str) -> None:
        """Something to be said with the next moment; from any thread."""
        self._notes.append(text)

    def _read_emptyings(self, now: Snapshot) -> None:
        told = (now.life, now.last_sequence)
        if self._source is None or told == self._told:
            return
        self._told = told
        try:
            self._emptyings = self._source.emptyings()
        except AgentNotReachedError:
            raise
        except KmsgExporterError as exc:
            self._complain(f"the last emptyings can't be had: {exc}")

    def _change(self) -> None:
        """Give way to an agent that starts, and look for a better source now and then."""
        if self._source is not None and self._source.is_wanted():
            self._drop()
            self._notes.append("an agent starts: it traces from now on")
            self._try_again = self._monotonic() + GRACE_SECONDS
        if self._best:
            return
        if self._source is None:
            found = self._attached()
            if found is not None:
                self._take(found, best=True)
            elif self._monotonic() >= self._try_again:
                self._choose_again()
        elif self._monotonic() >= self._try_again:
            self._improve()

    def _choose(self) -> None:
        """The best source that there is. Raises NotPermitted when there is none."""
        found = self._attached()
        if found is not None:
            self._take(found, best=True)
            return
        why = _NOT_ROOT
        if self._is_root():
            try:
                self._take(self._trace(), best=True)
                return
            except AlreadyRunning as exc:
                why = f"{exc} or name its --runtime-directory"
            except (KmsgExporterError, OSError) as exc:
                why = f"tracing is not possible: {exc}"
        self._take(self._look(why), best=False)

    def _choose_again(self) -> None:
        try:
            self._choose()
        except KmsgExporterError as exc:
            self._complain(str(exc))
            self._try_again = self._monotonic() + GRACE_SECONDS

    def _improve(self) -> None:
        """An agent may have come where the log is only looked at."""
        self._try_again = self._monotonic() + GRACE_SECONDS
        found = self._attached()
        if found is not None:
            self._drop()
            self._take(found, best=True)

    def _attached(self) -> Source | None:
        try:
            return self._attach()
        except (AgentNotReachedError, NotPermitted):
            return None
        except KmsgExporterError as exc:  # one that answers otherwise: it runs, and is of another version
            self._complain(str(exc))
            return None

    def _take(self, source: Source, *, best: bool) -> None:
        self._source, self._best, self._told = source, best, None
        self._try_again = self._monotonic() + GRACE_SECONDS
        self._notes.append(f"watching through {source.title()}")

    def _lose(self, exc: KmsgExporterError) -> None:
        title = "" if self._source is None else self._source.title()
        self._drop()
        gone = "is gone, or has no time to answer" if isinstance(exc, AgentNotReachedError) else f"is lost: {exc}"
        self._notes.append(f"{title} {gone}")
        self._try_again = self._monotonic() + GRACE_SECONDS

    def _complain(self, text: str) -> None:
        """Say it once, not at each try."""
        if text != self._complaint:
            self._complaint = text
            self._notes.append(text)

    def _drop(self) -> None:
        if self._source is not None:
            self._source.close()
        self._source, self._best = None, False


def _traced(config: Config) -> Source:
    from kmsg_exporter.watching.own import Traced  # a whole agent, which takes memory only here

    return Traced(config)
