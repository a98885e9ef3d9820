"""Histogram triggers: define one, read one back."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from operator import add

from kmsg_exporter.errors import DecodeError, FeatureUnavailable
from kmsg_exporter.tracefs.files import Tracefs

_HEAD = re.compile(rb"\s*# event histogram\n#\n# trigger info: (hist:[^\n]*) \[(?:active|paused)\]\n#\n\n?")
_TOTALS = re.compile(rb"\s*Totals:\n    Hits: (\d{1,20})\n    Entries: \d{1,20}\n    Dropped: (\d{1,20})\n")
_INFO = re.compile(rb"hist:keys=([\w,.]+):vals=([\w,.]+)[: ]")


@dataclass(frozen=True, slots=True)
class Hist:
    """A trigger that counts an event's records by `keys` and sums `vals`, in a map of `size` entries.

    Its text is what the kernel shows of it, and a command that the kernel takes. Give a key that is text last: a
    process that calls itself `, common_pid: 1` would be taken for another otherwise.
    """

    keys: tuple[str, ...]
    vals: tuple[str, ...] = ()
    size: int = 1024
    condition: str = ""

    def __str__(self) -> str:
        vals = ",".join(("hitcount", *self.vals))
        return f"hist:keys={','.join(self.keys)}:vals={vals}:sort=hitcount:size={self.size}{self._if}"

    @property
    def clear(self) -> str:
        """The command that empties its map."""
        return f"{str(self).removesuffix(self._if)}:clear{self._if}"

    @property
    def _if(self) -> str:
        return f" if {self.condition}" if self.condition else ""


@dataclass(frozen=True, slots=True)
class HistMap:
    """What one trigger has counted: keys -> (hitcount, sum of each val). `dropped` found no room in its map."""

    trigger: str
    entries: dict[tuple[bytes, ...], tuple[int, ...]]
    hits: int
    dropped: int


def parse_hist(raw: bytes) -> tuple[HistMap, ...]:
    """The maps in an event's `hist` file, one for each trigger. Raises DecodeError.

    Text is padded with spaces, so those around it are gone: names that differ in them alone are counted as one.
    """
    maps = []
    at = 0
    while raw[at:].strip():
        head = _HEAD.match(raw, at)
        info = head and _INFO.match(head[1] + b" ")
        if head is None or info is None:
            raise DecodeError(f"not a histogram: {raw[at : at + 60]!r}")
        entry = _entry(info[1].split(b","), info[2].split(b","))
        at = head.end()
        entries: dict[tuple[bytes, ...], tuple[int, ...]] = {}
        while found := entry.match(raw, at):
            groups = found.groups()
            keys = len(groups) - info[2].count(b",") - 1
            key = tuple(one.strip(b" ") for one in groups[:keys])
            sums = tuple(map(int, groups[keys:]))
            entries[key] = tuple(map(add, entries[key], sums)) if key in entries else sums
            at = found.end()
        totals = _TOTALS.match(raw, at)
        if totals is None:
            raise DecodeError(f"neither an entry of a histogram nor its totals: {raw[at : at + 60]!r}")
        at = totals.end()
        maps.append(HistMap(head[1].decode("ascii", "replace"), entries, int(totals[1]), int(totals[2])))
    return tuple(maps)


def _entry(keys: list[bytes], vals: list[bytes]) -> re.Pattern[bytes]:
    """One line of a map. A comm of 15 bytes can hold a newline, but no end of such a line."""
    shown = b", ".join(re.escape(key) + (rb": (.{0,64}?)" if key == b"comm" else rb": +(\d{1,20})") for key in keys)
    sums = rb"  ".join(re.escape(val) + rb": +(\d{1,20})" for val in vals)
    return re.compile(rb"\{ " + shown + rb" \} " + sums + rb"\n", re.DOTALL)


def remove_triggers(tracefs: Tracefs, event: str) -> None:
    """Remove the histogram triggers of an event, given by its folder; one that is not there is fine."""
    with suppress(FeatureUnavailable):
        for line in tracefs.read(f"{event}/trigger").splitlines():
            if line.startswith("hist:"):
                tracefs.write(f"{event}/trigger", f"!{line.rpartition(' [')[0]}\n")
