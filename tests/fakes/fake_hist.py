"""Histogram triggers as the kernel takes, counts and shows them."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection

from event_filter import FilterError, Values, parse_filter

COMMAND = re.compile(
    r"hist:keys=(?P<keys>[\w,]+)(:vals=(?P<vals>[\w,]+))?(:sort=hitcount)?(:size=(?P<size>\d+))?(?P<clear>:clear)?"
    r"( if (?P<filter>.*))?"
)


class FakeHist:
    """One trigger and its map."""

    def __init__(self, match: re.Match[str], fields: Collection[str]) -> None:
        self.keys = match["keys"].split(",")
        vals = [val for val in (match["vals"] or "").split(",") if val not in ("", "hitcount")]
        if not {*self.keys, *vals} <= {*fields}:
            raise OSError(errno.EINVAL, "Couldn't find field")
        self.vals = ["hitcount", *vals]
        self.size = int(match["size"] or 2048)
        if self.size < 128:
            raise OSError(errno.EINVAL, "")
        condition = match["filter"] or ""
        try:
            self._counts = parse_filter(condition, fields) if condition else lambda _: True
        except FilterError as exc:
            raise OSError(errno.EINVAL, str(exc)) from exc
        shown = f"hist:keys={','.join(self.keys)}:vals={','.join(self.vals)}:sort=hitcount:size={self.size}"
        self.text = shown + (f" if {condition}" if condition else "")
        self.clear()

    def clear(self) -> None:
        self._map: dict[tuple[int | bytes, ...], list[int]] = {}
        self._hits = self._dropped = 0

    def count(self, values: Values) -> None:
        if not self._counts(values):
            return
        key = tuple(values[name] for name in self.keys)
        if key not in self._map and len(self._map) >= self.size:
            self._dropped += 1
            return
        self._hits += 1
        sums = self._map.setdefault(key, [0] * len(self.vals))
        for number, name in enumerate(self.vals):
            more = 1 if name == "hitcount" else values[name]
            assert isinstance(more, int)
            sums[number] += more

    def show(self) -> bytes:
        lines = [b"# event histogram\n#\n# trigger info: " + self.text.encode() + b" [active]\n#\n\n"]
        for key, sums in sorted(self._map.items(), key=lambda one: one[1][0]):
            shown = b", ".join(_shown(*one) for one in zip(self.keys, key, strict=True))
            counts = b"  ".join(f"{name}: {n:>10}".encode() for name, n in zip(self.vals, sums, strict=True))
            lines.append(b"{ " + shown + b" } " + counts + b"\n")
        totals = f"\nTotals:\n    Hits: {self._hits}\n    Entries: {len(self._map)}\n    Dropped: {self._dropped}\n"
        return b"".join(lines) + totals.encode()


def _shown(name: str, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return name.encode() + b": " + value.split(b"\0")[0].ljust(50)
    return f"{name}: {value:>10}".encode()


def write_trigger(there: list[FakeHist], command: str, fields: Collection[str]) -> None:
    """Do what one line written to an event's `trigger` file asks for. Raises OSError."""
    command = command.strip()
    match = COMMAND.fullmatch(command.removeprefix("!"))
    if match is None:
        raise OSError(errno.EINVAL, "Invalid trigger")
    asked = FakeHist(match, fields)
    same = [hist for hist in there if hist.text == asked.text]
    if command.startswith("!"):
        if not same:
            raise OSError(errno.ENOENT, "")
        there.remove(same[0])
    elif match["clear"]:
        if not same:
            raise OSError(errno.ENOENT, "")
        same[0].clear()
    elif same:
        raise OSError(errno.EEXIST, "")
    else:
        there.append(asked)
