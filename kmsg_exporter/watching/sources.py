"""Where snapshots and emptyings come from: an agent's socket, or a look at the log alone; see also `own`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from kmsg_exporter.clock import boot_id, boot_ns, unix_ns
from kmsg_exporter.config import Config
from kmsg_exporter.emptied import Emptied, read_back
from kmsg_exporter.errors import KmsgExporterError, NotPermitted, RingUnavailable
from kmsg_exporter.local import ask
from kmsg_exporter.ring.devkmsg import DevKmsg
from kmsg_exporter.ring.look import Ring
from kmsg_exporter.ring.syslog import SyslogRing, buffer_bytes
from kmsg_exporter.watching.snapshot import Snapshot, decode
from kmsg_exporter.why.past import read_past

_log: Final = logging.getLogger(__name__)

EVENTS: Final = 20
_ASK_SECONDS: Final = 3.0


class Source(Protocol):
    """What is shown comes from here. Every call raises KmsgExporterError when it has ended."""

    def title(self) -> str:
        """What it is, for a person."""

    def snapshot(self) -> Snapshot:
        """All there is to know now."""

    def emptyings(self) -> Sequence[Emptied]:
        """The last EVENTS of them, newest first."""

    def is_wanted(self) -> bool:
        """Whether an agent waits for it to end."""

    def close(self) -> None:
        """Take away what it made."""


class Attached:
    """An agent that runs: it is asked, and nothing is traced twice. Raises KmsgExporterError when there is none."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._title = "the agent"
        self.snapshot()

    def title(self) -> str:
        return self._title

    def snapshot(self) -> Snapshot:
        now = decode(ask(self._socket, "snapshot", timeout_seconds=_ASK_SECONDS))
        self._title = f"the agent (pid {now.pid}, {now.backend})"
        return now

    def emptyings(self) -> Sequence[Emptied]:
        return history_of(lambda limit: ask(self._socket, "history", timeout_seconds=_ASK_SECONDS, limit=limit))

    def is_wanted(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing was made."""


class Looked:
    """The log's own state alone: it is seen to be emptied, not by whom. `why` says what is not seen, and why.

    Raises NotPermitted where not even that may be looked at.
    """

    def __init__(self, config: Config, why: str, *, ring: Ring | None = None) -> None:
        self._why = why
        self._ring = _opened(config, why) if ring is None else ring
        self._boot = boot_id(config.path_procfs)
        self._emptied: list[Emptied] = []
        self._past = past_of(config)
        self._looked_ns = 0  # on CLOCK_BOOTTIME

    def title(self) -> str:
        return f"a look at the log alone: {self._why}"

    def snapshot(self) -> Snapshot:
        try:
            look = self._ring.look(count_records=True)
        except (RingUnavailable, OSError) as exc:
            raise KmsgExporterError(f"the log can't be looked at any more: {exc}") from exc
        now_ns = boot_ns()
        if look.jumped:
            self._emptied.insert(0, self._told(look.first_seq, look.end_seq))
        self._looked_ns = now_ns
        last = self._emptied[0].time_unix_ns / 1e9 if self._emptied else None
        return Snapshot(
            life="look",
            taken_ns=now_ns,
            ring=look.state,
            emptied=len(self._emptied),
            last_emptied_unix=last,
            unattributed=len(self._emptied),
            last_sequence=len(self._emptied),
        )

    def emptyings(self) -> Sequence[Emptied]:
        return [*self._emptied, *self._past][:EVENTS]

    def is_wanted(self) -> bool:
        return False

    def close(self) -> None:
        self._ring.close()

    def _told(self, first: int | None, end: int | None) -> Emptied:
        import time

        hidden = None if first is None or end is None else end - first
        attributes = {
            "kmsg.boot_id": self._boot,
            "kmsg.hidden.records": hidden,
            "kmsg.attribution.source": "none",
            "kmsg.since_unix_nano": unix_ns(self._looked_ns),
        }
        return Emptied(
            len(self._emptied) + 1,
            time.time(),
            None,
            time.time_ns(),
            "dmesg was emptied by an unknown process",
            {name: value for name, value in attributes.items() if value is not None},
        )


def _opened(config: Config, why: str) -> Ring:
    try:
        return DevKmsg(config.path_dev / "kmsg", buffer_bytes=buffer_bytes())
    except RingUnavailable as device:
        try:
            return SyslogRing()
        except RingUnavailable as exc:
            raise NotPermitted(f"{why}; and the log itself can't be looked at: {device}; {exc}") from exc


def history_of(read: Callable[[int], Any]) -> Sequence[Emptied]:
    """The newest that one answer can carry: each may be as large as 64 KB, and more when it is escaped."""
    limit = EVENTS
    while True:
        try:
            answer = read(limit)
        except KmsgExporterError as exc:
            if limit == 1 or "ask for less" not in str(exc):
                raise
            limit //= 2
        else:
            break
    return [_stored(event) for event in answer]


def _stored(event: Any) -> Emptied:
    """Its number is in its record; when it was stored is not told."""
    told = read_back(0, 0.0, event["sent_unix"], json.dumps(event["record"]))
    return replace(told, sequence=told.number("kmsg.sequence") or 0)


def past_of(config: Config) -> tuple[Emptied, ...]:
    """What an agent has kept in the state directory; nothing where that can't be read."""
    try:
        return tuple(read_past(config.state_directory, limit=EVENTS) or ())
    except (KmsgExporterError, OSError) as exc:
        _log.debug("no history: %s", exc)
        return ()
