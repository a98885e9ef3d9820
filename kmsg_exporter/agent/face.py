"""What the agent's page shows beside what is observed: the last emptyings, what was not taken, where events go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from kmsg_exporter.agent.destination import INSIDE
from kmsg_exporter.emptied import Emptied, read_back
from kmsg_exporter.errors import SpoolError
from kmsg_exporter.metrics.page import EMPTYINGS, Node
from kmsg_exporter.push.sender import Sender
from kmsg_exporter.push.spool import Spool

if TYPE_CHECKING:
    from kmsg_exporter.collector.server import CollectorServer

_SECONDS: Final = 1.0


class Face:
    """Called, it gives what there is to show now. The history is read once a second at most, however many look."""

    def __init__(
        self,
        name: str,
        spool: Spool,
        sender: Sender,
        collector: CollectorServer | None,
        *,
        refused: Callable[[], Mapping[str, str]],
        compat: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`collector` is the one in this process; `refused` says why a backend was not taken."""
        self._name = name
        self._spool = spool
        self._sender = sender
        self._collector = collector
        self._refused = refused
        self._compat = compat
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._past: Sequence[Emptied] | None = None

    def __call__(self) -> Node:
        to, page = self._sender.destination, self._sender.page
        if self._collector is not None and to == INSIDE:
            page = self._collector.url
        return Node(
            name=self._name,
            past=self._recent(),
            refused=self._refused(),
            collector=page,
            push_to=to,
            push_failing=self._sender.failing,
            compat=self._compat,
        )

    def _recent(self) -> Sequence[Emptied] | None:
        with self._lock:
            if self._monotonic() >= self._next:
                self._past = self._read()
                self._next = self._monotonic() + _SECONDS
            return self._past

    def _read(self) -> Sequence[Emptied] | None:
        try:
            stored = self._spool.history(EMPTYINGS)
        except SpoolError:  # it is closed: the agent stops
            return None
        return tuple(read_back(one.sequence, one.stored_unix, one.sent_unix, one.record) for one in stored)
