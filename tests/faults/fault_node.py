"""A spool and a sender whose waits are told instead of waited."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fault_server import NOW, PATIENCE

from kmsg_exporter.model import PushState
from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sender import Sender
from kmsg_exporter.push.spool import Spool

RESOURCE = Resource({"service.name": "kmsg-exporter", "host.name": "node-7"})
HURRY = 1000.0


class Longest(random.Random):
    """The longest wait that the spread allows."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


class Naps:
    """Stands for the sleep between tries: tells how long it would be, and ends when told."""

    def __init__(self) -> None:
        self.asked: queue.Queue[float] = queue.Queue()
        self._ended: queue.Queue[None] = queue.Queue()

    def __call__(self, seconds: float) -> None:
        self.asked.put(seconds)
        self._ended.get(timeout=PATIENCE)

    def next(self) -> float:
        return self.asked.get(timeout=PATIENCE)

    def end(self) -> None:
        self._ended.put(None)


class Hurried(threading.Event):
    """Time passes faster for who waits for it."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(None if timeout is None else timeout / HURRY)


class Node:
    """Events are `{"uid": ..., "sequence": ...}`. While nothing is to be sent time passes HURRY times faster."""

    def __init__(self, path: Path, endpoint: Endpoint, hello_interval_seconds: float = 0.0) -> None:
        self.spool = Spool(path)
        self.naps = Naps()
        self.sender = Sender(
            self.spool,
            endpoint,
            RESOURCE,
            boot_id="5f0c",
            hello_interval_seconds=hello_interval_seconds,
            monotonic=lambda: time.monotonic() * HURRY,
            sleep=self.naps,
            rng=Longest(),
            connect=lambda endpoint, resource: Delivery(endpoint, resource, clock=lambda: NOW),
        )
        self.sender._woken = Hurried()

    def event(self) -> str:
        uid = self.spool.append(lambda uid, sequence: {"uid": uid, "sequence": sequence}).uid
        self.sender.wake()
        return uid

    def state(self) -> PushState:
        state = self.sender.state()
        assert state is not None
        return state

    def failures(self) -> dict[str, int]:
        return {reason: count for reason, count in self.state().failures_total.items() if count}

    def reached(self, holds: Callable[[PushState], bool]) -> PushState:
        deadline = time.monotonic() + PATIENCE
        while not holds(state := self.state()):
            assert time.monotonic() < deadline, state
            time.sleep(0.002)
        return state


@contextmanager
def living(path: Path, endpoint: Endpoint, *, events: int = 0, hello_interval_seconds: float = 0.0) -> Iterator[Node]:
    node = Node(path, endpoint, hello_interval_seconds)
    for _ in range(events):
        node.event()
    node.sender.start()
    try:
        yield node
    finally:
        for _ in range(20):
            node.naps.end()
        assert node.sender.stop(PATIENCE)
        node.spool.close()
