"""Which event the collector refuses, found by its answers alone; an endpoint that refuses all is no event's fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MAX_BATCH: Final = 64
MAX_SUSPECTS: Final = 1024  # one more would hold up those behind it
STRIKES: Final = 3


class Culprit:
    """Says how many events the next request may hold, and which ones are passed over.

    A batch that is refused is halved, down to one event. One that is refused alone is a suspect: those behind it go
    on. A strike against it counts only once the collector has taken another event after it; without that it may be
    the endpoint that refuses everything, and nothing is ever held against an event. A hello is no proof: a receiver
    that finds no record in a request says 200 and asks nobody behind it.
    """

    def __init__(self) -> None:
        self.limit = MAX_BATCH
        self.refusals = 0  # single events in a row, with none accepted between
        self._strikes: dict[str, int] = {}
        self._unproven: set[str] = set()

    @property
    def suspects(self) -> tuple[str, ...]:
        """The uids that are passed over, the one that waits longest first."""
        return tuple(self._strikes)

    def refused(self, uids: Sequence[str]) -> bool:
        """A request was refused for what is in it; True when the next one has a chance without a wait."""
        if len(uids) > 1:
            self.limit = len(uids) // 2
            return True
        self.refusals += 1
        for uid in uids:
            strikes = self._strikes.pop(uid, 0)
            if len(self._strikes) < MAX_SUSPECTS:
                self._strikes[uid] = strikes
                self._unproven.add(uid)
        return self.refusals == 1

    def accepted(self, uids: Sequence[str]) -> list[str]:
        """The collector took these events; the uids that are proven guilty by it."""
        self.refusals = 0
        self.limit = min(MAX_BATCH, 2 * self.limit)
        for uid in uids:
            self.forget(uid)
        for uid in self._unproven:
            self._strikes[uid] += 1
        self._unproven.clear()
        guilty = [uid for uid, strikes in self._strikes.items() if strikes >= STRIKES]
        for uid in guilty:
            self.forget(uid)
        return guilty

    def forget(self, uid: str) -> None:
        """It is gone, or nothing is held against it any more."""
        self._strikes.pop(uid, None)
        self._unproven.discard(uid)
