"""Two histograms of one event that count in turn: while one counts, the other rests and can be emptied.

Which of them counts a call is a bit of the kernel's own tick count, as the call's record has it: each call is in one
of them, whatever is read or emptied meanwhile. Clearing a single map, or exchanging two, would lose or double what is
counted in between.
"""

from __future__ import annotations

from dataclasses import replace
from operator import add
from typing import Final

from kmsg_exporter.errors import DecodeError, FeatureUnavailable, TracefsRejected
from kmsg_exporter.tracefs.hist import Hist, HistMap, parse_hist, remove_triggers
from kmsg_exporter.tracefs.instance import Instance

TICKS: Final = "ticks=@jiffies_64:u32"
"""The fetch argument that a pair's event needs."""
TURN: Final = 8192
"""How many ticks each of the two counts before it rests: 8 s where there are 1000 a second, 82 s where 100."""

Key = tuple[bytes, ...]
Sums = tuple[int, ...]


class HistPair:
    """The pair of triggers for one event of one instance. `dropped` counts calls that a full map had no room for."""

    def __init__(self, instance: Instance, event: str, hist: Hist) -> None:
        self._instance = instance
        self._path = f"{instance.path}/events/{event}"
        self._hists = tuple(
            replace(hist, condition=f"{hist.condition} && {turn}")
            for turn in (f"!(ticks & {TURN})", f"(ticks & {TURN})")
        )
        self._size = hist.size
        self._read: dict[str, dict[Key, Sums]] = {str(one): {} for one in self._hists}
        self._dropped = {str(one): 0 for one in self._hists}
        self._untold: dict[Key, Sums] = {}
        self.dropped = 0

    def attach(self) -> None:
        """Begin to count, from nothing.

        Raises FeatureUnavailable, TracefsRejected where the kernel can't, DecodeError where it shows it otherwise.
        """
        remove_triggers(self._instance.tracefs, self._path)
        try:
            for hist in self._hists:
                self._instance.tracefs.write(f"{self._path}/trigger", f"{hist}\n")
            shown = {one.trigger for one in parse_hist(self._instance.tracefs.read_bytes(f"{self._path}/hist"))}
            if shown != set(map(str, self._hists)):
                raise DecodeError(f"{self._path}/trigger shows {', '.join(shown)}")
        except (DecodeError, FeatureUnavailable, TracefsRejected):
            remove_triggers(self._instance.tracefs, self._path)
            raise

    def attached(self) -> bool:
        """Whether both triggers are there."""
        try:
            there = self._instance.tracefs.read(f"{self._path}/trigger")
        except FeatureUnavailable:
            return False
        return all(f"{hist} [active]" in there for hist in self._hists)

    def read(self) -> dict[Key, Sums]:
        """What was counted since the last time. Raises DecodeError, FeatureUnavailable."""
        self._take_over()
        told, self._untold = self._untold, {}
        return told

    def is_filling(self) -> bool:
        """Whether a map was more than half full when it was read."""
        return any(len(known) * 2 > self._size for known in self._read.values())

    def empty_resting(self, ticks: int) -> bool:
        """Empty the map that rests, if the tick count says that it will for half a turn yet. Whether it did.

        What was in it the next `read` tells. Whoever takes so long that the turn is over when this returns (see
        `is_over`) may have emptied a map that counted again, and what nobody had read of it is lost.
        """
        if ticks % TURN > TURN // 2:
            return False
        self._take_over()
        resting = self._hists[0] if ticks & TURN else self._hists[1]
        if not self._read[str(resting)]:
            return False
        self._instance.tracefs.write(f"{self._path}/trigger", f"{resting.clear}\n")
        self._read[str(resting)], self._dropped[str(resting)] = {}, 0
        return True

    def _take_over(self) -> None:
        """Note what was counted: whatever fails after that, it will be told."""
        for one in parse_hist(self._instance.tracefs.read_bytes(f"{self._path}/hist")):
            if one.trigger not in self._read:
                continue
            if self._was_cleared(one):
                self._read[one.trigger], self._dropped[one.trigger] = {}, 0
            before = self._read[one.trigger]
            for key, sums in one.entries.items():
                known = before.get(key)
                more = sums if known is None else tuple(new - old for new, old in zip(sums, known, strict=True))
                if any(more):
                    so_far = self._untold.get(key)
                    self._untold[key] = more if so_far is None else tuple(map(add, so_far, more))
            self._read[one.trigger] = one.entries
            self.dropped += one.dropped - self._dropped[one.trigger]
            self._dropped[one.trigger] = one.dropped

    def _was_cleared(self, now: HistMap) -> bool:
        """Whether somebody else emptied this map since it was read: nothing in it falls otherwise."""
        return now.dropped < self._dropped[now.trigger] or any(
            key not in now.entries or now.entries[key][0] < known[0] for key, known in self._read[now.trigger].items()
        )


def is_over(began: int, ticks: int) -> bool:
    """Whether the turn that went on when the tick count was `began` is over now."""
    return began % TURN + (ticks - began) % (1 << 32) >= TURN
