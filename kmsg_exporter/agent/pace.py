"""How much of a core the watching loop takes: in a storm it rests the longer the more it has worked."""

from __future__ import annotations

from typing import Final

CALM_SECONDS: Final = 0.002
STORM_ROUNDS: Final = 4  # a single call is two records, and may wake twice
PAUSE_SECONDS: Final = 0.01
REST: Final = 8  # for this many times as long as it worked: a ninth of a core is the loop's share


class Pace:
    """Rounds that begin within CALM_SECONDS of the one before are a storm; from STORM_ROUNDS on a rest follows each.

    `now` is in seconds of one monotonic clock everywhere.
    """

    def __init__(self) -> None:
        self.rest_until = 0.0
        self._calm_from = 0.0
        self._restless = 0
        self._is_storm = False
        self._worked_seconds = 0.0
        self._rested = False

    def is_resting(self, now: float) -> bool:
        return now < self.rest_until

    def lets_begin(self, now: float, *, forced: bool) -> bool:
        """Whether a round begins now; if not, it rests. One that is `forced` (it is due, or asked for) always does."""
        self._is_storm = self._rested or now < self._calm_from
        if not (forced or self._rested):
            self._restless = self._restless + 1 if self._is_storm else 0
            if self._restless >= STORM_ROUNDS:
                self.rest_until, self._rested = now + max(PAUSE_SECONDS, self._worked_seconds * REST), True
                return False
        self._rested = False
        return True

    def ended(self, now: float, worked_seconds: float, *, resting: bool, asked: bool) -> None:
        """A round is over that took this much CPU time. What is done in a rest (`resting`) makes it the longer.

        One that was `asked` for neither begins a storm nor ends one.
        """
        self._worked_seconds = worked_seconds
        if resting:
            self.rest_until, self._rested = max(self.rest_until, now + worked_seconds * REST), True
        if not asked or self._is_storm:
            self._calm_from = now + CALM_SECONDS
