"""Where the agent's own time goes under a load: cProfile of the loop that watches, by module."""

from __future__ import annotations

import pstats
from collections import defaultdict
from pathlib import Path
from typing import Final

_LINES: Final = 6
_WAITING: Final = ("poll", "wait", "acquire", "select")


def summary(profile: Path) -> str:
    """The modules and built-in functions that took the most time, each with its share; waiting left out."""
    times: defaultdict[str, float] = defaultdict(float)
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = vars(pstats.Stats(str(profile)))["stats"]
    for (path, _line, function), (_calls, _all, own_seconds, _cumulative, _callers) in stats.items():
        if path != "~":
            times["/".join(Path(path).with_suffix("").parts[-2:])] += own_seconds
        elif not any(word in function for word in _WAITING):
            times[function.strip("<>").removeprefix("built-in method ")] += own_seconds
    total = sum(times.values()) or 1.0
    most = sorted(times.items(), key=lambda item: item[1], reverse=True)[:_LINES]
    return ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in most)
