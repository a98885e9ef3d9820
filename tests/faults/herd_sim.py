"""Ten thousand senders on a virtual clock: the sender's own code, with the network and the sleep taken away.

No agent knows of another and the collector only knows the time, so each lives through it alone, one after the other.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from kmsg_exporter.errors import PushError
from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sender import Sender
from kmsg_exporter.push.spool import Spool, SpoolState, StoredEvent

NODES = 10_000

Fault = Callable[[], PushError]


def refused() -> PushError:
    return PushError("nobody listens", reason="refused", retriable=True)


def come_in_20_seconds() -> PushError:
    return PushError("too many", reason="http_429", retriable=True, retry_after_seconds=20.0)


def wrong_token() -> PushError:
    return PushError("who are you", reason="http_401", retriable=False)


@dataclass
class Herd:
    """Requests in each second: the first tries, the later ones that failed, and those that brought events."""

    first: Counter[int] = field(default_factory=Counter)
    retries: Counter[int] = field(default_factory=Counter)
    arrivals: Counter[int] = field(default_factory=Counter)
    last_arrival: float = 0.0
    arrived: int = 0


class _Spool:
    """`events` that wait, in memory."""

    path = "spool"
    durable = True

    def __init__(self, events: int) -> None:
        self._events = [StoredEvent(number, str(number), 0.0, None, "{}") for number in range(1, events + 1)]

    @property
    def state(self) -> SpoolState:
        return SpoolState(queue_events=len(self._events))

    def unsent(self, limit: int, **_: object) -> list[StoredEvent]:
        return self._events[:limit]

    def mark_sent(self, uids: set[str], _: float) -> None:
        self._events = [event for event in self._events if event.uid not in uids]

    def set_aside_uids(self) -> list[str]:
        return []


def herd(nodes: int, *, away_seconds: float, fault: Fault, events: int = 1, seed: int = 1) -> Herd:
    """All nodes' logs are emptied in second 0; until `away_seconds` every request ends in `fault`."""
    seen, rng = Herd(), random.Random(seed)
    logging.disable()
    try:
        for _ in range(nodes):
            _live(seen, random.Random(rng.random()), away_seconds, fault, events)
    finally:
        logging.disable(logging.NOTSET)
    return seen


def told(what: str, seen: Herd, away_seconds: float) -> None:
    print(
        f"{what}: {max(seen.first.values())} first tries in one second; retries at most "
        f"{max(seen.retries.values(), default=0)} a second, arrivals at most {max(seen.arrivals.values())} a second, "
        f"the last {seen.last_arrival - away_seconds:.1f} s after the collector came back"
    )


def _live(seen: Herd, rng: random.Random, away_seconds: float, fault: Fault, events: int) -> None:
    now, tries = rng.random() * 0.01, 0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def post(records: Sequence[object]) -> int:
        nonlocal tries
        tries += 1
        if now < away_seconds:
            (seen.first if tries == 1 else seen.retries)[int(now)] += 1
            raise fault()
        seen.arrivals[int(now)] += 1
        seen.arrived += len(records)
        seen.last_arrival = max(seen.last_arrival, now)
        return 0

    delivery = cast(Delivery, SimpleNamespace(post=post, prepare=lambda: None, endpoint="collector"))
    connect: Callable[[Endpoint, Resource], Any] = lambda *_: delivery  # noqa: E731
    sender = Sender(
        cast(Spool, _Spool(events)),
        Endpoint("http://collector/v1/logs"),
        Resource({}),
        clock=lambda: now,
        monotonic=lambda: now,
        sleep=sleep,
        rng=rng,
        connect=connect,
    )
    sender._work(delivery)
