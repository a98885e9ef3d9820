"""How large each trace buffer may be, so that all of them together stay within a budget for the node."""

from __future__ import annotations

from dataclasses import dataclass

_PAGE_KB = 4
_SPARE_KB = 2 * _PAGE_KB  # the kernel adds a reader page to each CPU's buffer and rounds up


@dataclass(frozen=True, slots=True)
class BufferSizes:
    """Kilobytes for each CPU: what wakes us, what is only counted, and the flight recorder."""

    urgent_kb: int
    bulk_kb: int
    recorder_kb: int


def buffer_sizes(budget_bytes: int, cpus: int) -> BufferSizes:
    """A quarter, a quarter and a half of the budget, divided by CPUs; more than enough is not taken."""
    each = budget_bytes // 1024 // max(1, cpus)

    def share(parts: int, most: int) -> int:
        pages = (each * parts // 4 - _SPARE_KB) // _PAGE_KB
        return min(max(2, pages) * _PAGE_KB, most)

    return BufferSizes(share(1, 256), share(1, 256), share(2, 1024))
