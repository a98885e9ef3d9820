"""Agents' real spools and senders, many in one process, that wait less between two tries than on a real node."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from kmsg_bench.events import record, resource

from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.sender import Sender
from kmsg_exporter.push.spool import Spool

MOST_PAUSE_SECONDS = 0.5


class Node:
    """One agent's way to the collector: a spool in `folder` and a sender."""

    def __init__(self, name: str, folder: Path, endpoint: Endpoint) -> None:
        self.name = name
        self._stopping = threading.Event()
        self.spool = Spool(folder / f"{name}.sqlite3")
        self.sender = Sender(self.spool, endpoint, resource(name), sleep=self._pause)
        self.sender.start()

    def empty(self) -> None:
        """One more event, as an emptied log makes it."""
        self.spool.append(lambda uid, sequence: record(self.name, uid, sequence))
        self.sender.wake()

    @property
    def waiting(self) -> int:
        return self.spool.state.queue_events

    @property
    def failures(self) -> Mapping[str, int]:
        """How many tries failed, by reason."""
        state = self.sender.state()
        assert state is not None
        return {reason: count for reason, count in state.failures_total.items() if count}

    def records(self) -> dict[str, dict[str, Any]]:
        """By uid what it has sent, with the attributes of its resource."""
        attributes = [
            {"key": key, "value": {"stringValue": value}} for key, value in resource(self.name).attributes.items()
        ]
        return {
            event.uid: {"resource": attributes, **json.loads(event.record)} for event in self.spool.history(100_000)
        }

    def close(self) -> None:
        self._stopping.set()
        assert self.sender.stop(30)
        self.spool.close()

    def _pause(self, seconds: float) -> None:
        self._stopping.wait(min(seconds, MOST_PAUSE_SECONDS))


class Nodes:
    """Several, as a context manager."""

    def __init__(self, names: Sequence[str], folder: Path, endpoint: Endpoint) -> None:
        self._stack = ExitStack()
        self.all: list[Node] = []
        for name in names:
            node = Node(name, folder, endpoint)
            self._stack.callback(node.close)
            self.all.append(node)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def empty(self, times: int = 1) -> None:
        """So many events on each."""
        for _ in range(times):
            for node in self.all:
                node.empty()

    @property
    def waiting(self) -> int:
        return sum(node.waiting for node in self.all)

    def failures(self, reason: str) -> int:
        return sum(node.failures.get(reason, 0) for node in self.all)

    def records(self) -> dict[str, dict[str, Any]]:
        """By uid what all have sent."""
        return {uid: record for node in self.all for uid, record in node.records().items()}
