"""What a flight recorder has read: the newest pages of all CPUs within a bound, and whom they are about."""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.tracefs.format import EventFormat

_PAGE_BYTES: Final = 4096  # what is read from a page that is not full yet joins what came before it
_PIECE_COSTS_BYTES: Final = 64  # beside the bytes themselves: Python's objects for them
_PAGE_COSTS_BYTES: Final = 1024
_MAX_DECODED: Final = 8

Record = tuple[int, str, EventFormat, bytes]
"""Time, event, layout, and the record itself."""


@dataclass(frozen=True, slots=True)
class About:
    """What a record tells: the thread whose life it is a part of, or only its name, or that a line was printed."""

    life: int | None = None
    name: int | None = None
    printed: bool = False


@dataclass(slots=True, eq=False)
class HeldPage:
    """A page's worth of records of one CPU, oldest first; what is below `raws` is known once `indexed` covers them."""

    cpu: int
    time_ns: int
    raws: list[bytes] = field(default_factory=list)
    held_bytes: int = _PAGE_COSTS_BYTES
    indexed: int = 0
    end_ns: int = 0
    lives: array[int] = field(default_factory=lambda: array("i"))
    names: array[int] = field(default_factory=lambda: array("i"))
    printed: array[int] = field(default_factory=lambda: array("Q"))

    def count_printed(self, after_ns: int, until_ns: int) -> int:
        return max(0, bisect_right(self.printed, until_ns) - bisect_right(self.printed, after_ns))


class History:
    """Holds what is newest, over all CPUs. `decode` gives a page's records or raises DecodeError.

    `complete_since` is the moment from which on, over all CPUs, nothing that was recorded is missing.
    """

    def __init__(
        self, decode: Callable[[bytes], list[Record]], about: Callable[[Record], About], *, max_bytes: int
    ) -> None:
        self._decode = decode
        self._about = about
        self._max_bytes = max_bytes
        self._held_bytes = 0
        self._pages: dict[int, deque[HeldPage]] = {}
        self._unindexed: deque[HeldPage] = deque()
        self._by_thread: dict[int, tuple[HeldPage, ...]] = {}
        self._decoded: dict[HeldPage, tuple[int, list[Record]]] = {}
        self.complete_since = 0

    def gap(self, time_ns: int) -> None:
        """Something from before this moment is missing."""
        self.complete_since = max(self.complete_since, time_ns)

    def add(self, cpu: int, time_ns: int, raw: bytes) -> None:
        """Hold what was read, and let go of what is oldest."""
        pages = self._pages.setdefault(cpu, deque())
        if not pages or pages[-1].held_bytes + len(raw) > _PAGE_BYTES + _PAGE_COSTS_BYTES:
            pages.append(HeldPage(cpu, time_ns))
            self._held_bytes += _PAGE_COSTS_BYTES
        page = pages[-1]
        if page.indexed == len(page.raws):
            self._unindexed.append(page)
        page.raws.append(raw)
        page.held_bytes += len(raw) + _PIECE_COSTS_BYTES
        self._held_bytes += len(raw) + _PIECE_COSTS_BYTES
        while self._held_bytes > self._max_bytes:
            self._let_go(min((pages for pages in self._pages.values() if pages), key=lambda pages: pages[0].time_ns))

    def about(self, tid: int) -> Sequence[HeldPage]:
        """Pages that tell something of a thread; those of one CPU are in order."""
        self._index_all()
        return self._by_thread.get(tid, ())

    def since(self, after_ns: int) -> Iterator[HeldPage]:
        """Pages that may hold records made after a moment: of each CPU those that began later, and the one before."""
        self._index_all()
        for pages in self._pages.values():
            for page in reversed(pages):
                yield page
                if page.time_ns <= after_ns:
                    break

    def records(self, page: HeldPage) -> list[Record]:
        """A page's records. The last few pages asked for are kept decoded: many calls are near each other."""
        pieces, found = self._decoded.get(page, (0, []))
        if pieces != len(page.raws):
            found = [record for raw in page.raws for record in self._decode_or_gap(raw)]
            if len(self._decoded) >= _MAX_DECODED:
                del self._decoded[next(iter(self._decoded))]
            self._decoded[page] = (len(page.raws), found)
        return found

    def _index_all(self) -> None:
        """Know of all pages what they are about: the older ones first, so that a thread's pages are in order."""
        while self._unindexed:
            self._index(self._unindexed.popleft())

    def _index(self, page: HeldPage) -> None:
        for raw in page.raws[page.indexed :]:
            for record in self._decode_or_gap(raw):
                page.end_ns = max(page.end_ns, record[0])
                self._take_in(page, record)
        page.indexed = len(page.raws)

    def _take_in(self, page: HeldPage, record: Record) -> None:
        told = self._about(record)
        if told.printed:
            insort(page.printed, record[0])
        tid = told.life if told.life is not None else told.name
        if tid is None:
            return
        known = self._by_thread.get(tid, ())
        if not known or (known[-1] is not page and page not in known):
            self._by_thread[tid] = (*known, page)
        tids = page.lives if told.life is not None else page.names
        if tid not in tids:
            tids.append(tid)

    def _decode_or_gap(self, raw: bytes) -> list[Record]:
        try:
            return self._decode(raw)
        except DecodeError:
            self.gap(int.from_bytes(raw[:8], "little") + 1)
            return []

    def _let_go(self, pages: deque[HeldPage]) -> None:
        """The oldest page of one CPU goes."""
        oldest = pages.popleft()
        self._held_bytes -= oldest.held_bytes
        if pages:
            self.gap(pages[0].time_ns)
        else:
            self._index(oldest)
            self.gap(oldest.end_ns + 1)
        for tid in {*oldest.lives, *oldest.names}:
            left = tuple(page for page in self._by_thread.get(tid, ()) if page is not oldest)
            if left:
                self._by_thread[tid] = left
            else:
                self._by_thread.pop(tid, None)
        self._decoded.pop(oldest, None)
        oldest.raws, oldest.indexed = [], 0  # it may still wait to be indexed
