"""How often a value fell where, as Prometheus counts it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Histogram:
    """`counts` has one number for each bound (at most so much) and one for what is beyond the last."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...] = ()
    total: float = 0.0

    def observe(self, value: float) -> Histogram:
        counts = list(self.counts or (0,) * (len(self.bounds) + 1))
        counts[bisect_left(self.bounds, value)] += 1
        return Histogram(self.bounds, tuple(counts), self.total + value)

    def cumulative(self) -> Iterator[tuple[str, float]]:
        """Each bound's text with how many values were at most that."""
        seen = 0
        for bound, count in zip(
            (*self.bounds, float("inf")), self.counts or (0,) * (len(self.bounds) + 1), strict=True
        ):
            seen += count
            yield "+Inf" if bound == float("inf") else str(float(bound)), seen
