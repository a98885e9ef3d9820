"""What is counted and observed at one moment, as a local command asks for it again and again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from kmsg_exporter import __version__
from kmsg_exporter.clock import boot_ns
from kmsg_exporter.coverage import unseen
from kmsg_exporter.metrics.totals import Series, Snapshot
from kmsg_exporter.model import Observation

# With these the answer stays within what the local socket carries, whatever processes call themselves.
MAX_NAMES: Final = 1000
MAX_READERS: Final = 500
_EXE: Final = 200


def snapshot(
    totals: Snapshot, observation: Observation, *, started_ns: int, last_sequence: int, compat: bool
) -> dict[str, Any]:
    """Plain values. `counts` has rows of a place in `names` (comm, exe), the other labels, and the number.

    Names beyond the MAX_NAMES busiest are only counted, as `left_out`.
    """
    families = _families(totals)
    busy: Counter[tuple[str, str]] = Counter()
    for what, series in families.items():
        for (comm, exe, *_), value in series.values.items():
            busy[comm, exe] += 0 if what == "bytes" else value
    places = {name: place for place, (name, _) in enumerate(busy.most_common(MAX_NAMES))}
    readers = observation.readers
    return {
        "version": __version__,
        "pid": os.getpid(),
        "started_ns": started_ns,
        "taken_ns": boot_ns(),
        "backend": observation.backend,
        "ready": observation.ready,
        "unseen": list(unseen(observation.backend, compat=compat)),
        "ring": asdict(observation.ring),
        "readers": None
        if readers is None
        else [[one.pid, one.comm, _short(one.exe), one.interface] for one in readers[:MAX_READERS]],
        "names": [[comm, _short(exe)] for comm, exe in places],
        "counts": {what: _rows(series.values, places) for what, series in families.items()},
        "left_out": len(busy) - len(places),
        "emptied": totals.emptied,
        "last_emptied_unix": totals.last_emptied_timestamp_seconds,
        "unattributed": totals.unattributed_clears,
        "lost_events": observation.trace_lost_events_total,
        "last_sequence": last_sequence,
    }


def _families(totals: Snapshot) -> dict[str, Series]:
    return {
        "clears": totals.clears,
        "denied": totals.denied,
        "reads": totals.reads,
        "bytes": totals.read_bytes,
        "opens": totals.opens,
        "writes": totals.writes,
        "console": totals.console_changes,
    }


def _rows(values: Mapping[tuple[str, ...], int], places: Mapping[tuple[str, str], int]) -> list[list[int | str]]:
    return [[places[comm, exe], *rest, value] for (comm, exe, *rest), value in values.items() if (comm, exe) in places]


def _short(exe: str) -> str:
    """A path's end tells more than its beginning."""
    return exe if len(exe) <= _EXE else f"\u2026{exe[1 - _EXE :]}"
