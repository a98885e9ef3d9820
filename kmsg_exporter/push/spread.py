"""How long to wait: what many nodes do again must not come back in one moment."""

from __future__ import annotations

import random
from typing import Final

FIRST_RETRY_SECONDS: Final = (
    12.0  # 10,000 nodes over 12 s are 833 a second: under a tenth of all at once, with its noise
)
RETRY_GROWTH: Final = 2.0
MAX_RETRY_SECONDS: Final = 60.0
SLOW_RETRY_SECONDS: Final = 300.0
BACKLOG_SECONDS: Final = 4.0
PROBE_SECONDS: Final = 30.0
FIRST_HELLO_SECONDS: Final = 60.0
_MANY: Final = 16  # no wait grows any more


def retry_seconds(failures: int, rng: random.Random, *, soon: bool = True, asked: float | None = None) -> float:
    """The wait after the `failures`th failure in a row; `soon`: trying again soon may help; `asked`: Retry-After.

    The first is anywhere up to its ceiling, so that one node's short trouble is short. A later one is at least half
    of its ceiling, so that second tries do not fall among the first ones of others.
    """
    if not soon:
        return rng.uniform(SLOW_RETRY_SECONDS / 2, SLOW_RETRY_SECONDS)
    ceiling = _grown(FIRST_RETRY_SECONDS, failures, MAX_RETRY_SECONDS)
    if asked is not None:
        return asked + rng.uniform(0.0, ceiling)
    return rng.uniform(0.0 if failures <= 1 else ceiling / 2, ceiling)


def refused_seconds(refusals: int, rng: random.Random) -> float:
    """The wait after the `refusals`th event in a row that was refused for what is in it."""
    ceiling = _grown(FIRST_RETRY_SECONDS, refusals, SLOW_RETRY_SECONDS)
    return rng.uniform(ceiling / 2, ceiling)


def probe_seconds(refusals: int, rng: random.Random, *, soon: bool = False) -> float:
    """The wait before an event that was refused is tried again."""
    ceiling = _grown(PROBE_SECONDS, refusals, MAX_RETRY_SECONDS if soon else SLOW_RETRY_SECONDS)
    return rng.uniform(ceiling / 2, ceiling)


def backlog_seconds(rng: random.Random) -> float:
    """The wait between two requests of a backlog: the collector has just come back, and others come back to it too."""
    return rng.uniform(0.0, BACKLOG_SECONDS)


def hello_seconds(interval_seconds: float, rng: random.Random, *, first: bool) -> float:
    """The wait before a hello."""
    if first:
        return rng.uniform(0.0, min(FIRST_HELLO_SECONDS, interval_seconds))
    return interval_seconds * rng.uniform(0.9, 1.1)


def _grown(first: float, times: int, most: float) -> float:
    growth: float = RETRY_GROWTH ** min(max(times, 1) - 1, _MANY)
    return min(first * growth, most)
