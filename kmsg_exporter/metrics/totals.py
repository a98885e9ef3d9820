"""The numbers that only grow: one thread counts, any thread takes a frozen copy."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kmsg_exporter.model import OTHER

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_MAX_PAIRS: Final = 512

_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def label_text(text: str) -> str:
    """`text` as UTF-8 can carry it: a lone surrogate, which can't be encoded, becomes U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


class NameBound:
    """Which names a metric family shows: the first `max_names - 1` it met, all others as "other".

    A name is every label value that a process can choose: (comm, exe), or (comm, exe, origin).
    The other labels (action, interface, expected) have a fixed list of values, so a family never has more than
    `max_names` times their product of series, whatever processes call themselves.
    """

    def __init__(self, max_names: int) -> None:
        self._max_names = max_names
        self._names: set[tuple[str, ...]] = set()

    def admit(self, name: tuple[str, ...]) -> tuple[str, ...]:
        """The name to count under: `name` itself, or as many times "other"."""
        name = tuple(map(label_text, name))
        if name in self._names:
            return name
        other = (OTHER,) * len(name)
        if name == other or len(self._names) >= self._max_names - 1:
            return other
        self._names.add(name)
        return name


@dataclass(frozen=True, slots=True)
class Series:
    """One labelled counter: label values to the number, and to the ordinal of the series' birth."""

    values: Mapping[tuple[str, ...], int]
    births: Mapping[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All totals at one moment. `births` is the highest ordinal given to a series so far."""

    births: int
    clears: Series
    clears_by_origin: Series
    denied: Series
    reads: Series
    read_bytes: Series
    opens: Series
    writes: Series
    console_changes: Series
    emptied: int
    last_emptied_timestamp_seconds: float | None
    unattributed_clears: int
    series_overflowed: int


class _Counter:
    """One labelled counter under a bound; the caller holds the lock."""

    def __init__(self, bound: NameBound) -> None:
        self.bound = bound
        self.values: dict[tuple[str, ...], int] = {}
        self.births: dict[tuple[str, ...], int] = {}

    def series(self) -> Series:
        return Series(self.values.copy(), self.births.copy())


class Totals:
    """Counts since the agent's start, by who it was."""

    def __init__(self, max_pairs: int = DEFAULT_MAX_PAIRS) -> None:
        """`max_pairs` bounds the names in each family, "other" being one of them: at least 1."""
        self.max_pairs = max_pairs
        self._lock = threading.Lock()
        self._births = 0
        self._overflowed = 0
        self._emptied = 0
        self._last_emptied: float | None = None
        self._unattributed = 0
        self._clears = self._counter()
        self._clears_by_origin = self._counter()
        self._denied = self._counter()
        self._reads = self._counter()
        self._read_bytes = _Counter(self._reads.bound)
        self._opens = self._counter()
        self._writes = self._counter()
        self._console_changes = self._counter()

    def clear(self, comm: str, exe: str, action: str, *, origin: str, expected: bool, calls: int = 1) -> None:
        """Clears that took effect."""
        with self._lock:
            self._count(self._clears, (comm, exe), (action,), calls)
            self._count(self._clears_by_origin, (comm, exe, origin), ("true" if expected else "false",), calls)

    def denied(self, comm: str, exe: str, action: str) -> None:
        """A clear that the kernel refused."""
        with self._lock:
            self._count(self._denied, (comm, exe), (action,))

    def read(self, comm: str, exe: str, interface: str, action: str, *, calls: int = 1, nbytes: int = 0) -> None:
        """Read calls that returned something, and the bytes they returned."""
        with self._lock:
            name = self._count(self._reads, (comm, exe), (interface, action), calls)
            self._add(self._read_bytes, (*name, interface, action), nbytes)

    def open(self, comm: str, exe: str, interface: str) -> None:
        """An open for reading of /dev/kmsg or /proc/kmsg."""
        with self._lock:
            self._count(self._opens, (comm, exe), (interface,))

    def write(self, comm: str, exe: str, calls: int = 1) -> None:
        """Write calls to /dev/kmsg that succeeded."""
        with self._lock:
            self._count(self._writes, (comm, exe), (), calls)

    def console_change(self, comm: str, exe: str, action: str) -> None:
        """A console_off, console_on or console_level."""
        with self._lock:
            self._count(self._console_changes, (comm, exe), (action,))

    def emptied(self, timestamp_seconds: float) -> None:
        """dmesg went from something to nothing, at this Unix time."""
        with self._lock:
            self._emptied += 1
            self._last_emptied = timestamp_seconds

    def unattributed_clear(self) -> None:
        """A clear was seen on the log that no traced call explains."""
        with self._lock:
            self._unattributed += 1

    def next_birth(self) -> int:
        """An ordinal for a series that is counted elsewhere and shown beside these."""
        with self._lock:
            self._births += 1
            return self._births

    def snapshot(self) -> Snapshot:
        """A copy that later counting does not change; of one moment in all its parts."""
        with self._lock:
            return Snapshot(
                births=self._births,
                clears=self._clears.series(),
                clears_by_origin=self._clears_by_origin.series(),
                denied=self._denied.series(),
                reads=self._reads.series(),
                read_bytes=self._read_bytes.series(),
                opens=self._opens.series(),
                writes=self._writes.series(),
                console_changes=self._console_changes.series(),
                emptied=self._emptied,
                last_emptied_timestamp_seconds=self._last_emptied,
                unattributed_clears=self._unattributed,
                series_overflowed=self._overflowed,
            )

    def _counter(self) -> _Counter:
        return _Counter(NameBound(self.max_pairs))

    def _count(
        self, counter: _Counter, name: tuple[str, ...], rest: tuple[str, ...], amount: int = 1
    ) -> tuple[str, ...]:
        shown = counter.bound.admit(name)
        if shown[0] == OTHER != name[0]:
            self._overflowed += amount
        self._add(counter, shown + rest, amount)
        return shown

    def _add(self, counter: _Counter, labels: tuple[str, ...], amount: int) -> None:
        if labels not in counter.values:
            self._births += 1
            counter.births[labels] = self._births
            counter.values[labels] = 0
        counter.values[labels] += amount
