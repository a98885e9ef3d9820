"""When an agent counts as silent: for the pages and for the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SILENT_AFTER_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Silence:
    """An agent that was not heard of for `after_seconds`, all of which the store was open: since `opened_unix_ns`."""

    after_seconds: float
    opened_unix_ns: int

    def since_ns(self, now_ns: int) -> int:
        """Who was not heard of from this moment on has not reported for so long."""
        return now_ns - int(self.after_seconds * 10**9)

    def before_ns(self, now_ns: int) -> int:
        """Who was last heard of before this moment is silent; 0 is nobody: the collector itself was away."""
        since = self.since_ns(now_ns)
        return since if self.opened_unix_ns <= since else 0
