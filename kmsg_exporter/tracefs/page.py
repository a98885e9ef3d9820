"""Ring buffer pages: the records of one page as `trace_pipe_raw` hands it out.

The layout is the kernel's include/linux/ring_buffer.h; `events/header_page` says where the parts of a page lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.tracefs.format import parse_fields

_PADDING = 29
_TIME_EXTEND = 30
_TIME_STAMP = 31
_TIME_BITS = 27
_ABSOLUTE = 1 << 59  # an absolute time stamp keeps the five topmost bits of the one before it

_COMMIT_SIZE = (1 << 27) - 1
_MISSED_STORED = 1 << 30
_MISSED_EVENTS = 1 << 31


@dataclass(frozen=True, slots=True)
class PageLayout:
    """Where a page's own fields lie, in bytes."""

    commit_offset: int
    commit_size: int
    data_offset: int


@dataclass(frozen=True, slots=True)
class Page:
    """One decoded page. `lost` counts what the kernel dropped before it: 0 nothing, None it does not say how many.

    `records` are (time stamp in ns of the instance's clock, record bytes) in the order of the page; `data_end` is
    how many bytes of the page are in use.
    """

    time_ns: int
    lost: int | None
    data_end: int
    records: tuple[tuple[int, bytes], ...]


def parse_layout(header_page: str) -> PageLayout:
    """The layout that `events/header_page` describes. Raises DecodeError when it does not."""
    fields = parse_fields(header_page)
    if "commit" not in fields or "data" not in fields or "timestamp" not in fields:
        raise DecodeError(f"not a page header: {header_page[:60]!r}")
    return PageLayout(fields["commit"].offset, fields["commit"].size, fields["data"].offset)


def read_header(raw: bytes, layout: PageLayout) -> tuple[int, int | None, int]:
    """(time_ns, lost, data_end) of one page, as Page has them. Raises DecodeError when the bytes are no page."""
    if len(raw) < layout.data_offset:
        raise DecodeError(f"a page of {len(raw)} bytes is shorter than its header of {layout.data_offset}")
    commit = int.from_bytes(raw[layout.commit_offset : layout.commit_offset + layout.commit_size], "little")
    end = layout.data_offset + (commit & _COMMIT_SIZE)
    if end > len(raw):
        raise DecodeError(f"a page of {len(raw)} bytes says that its data end at byte {end}")
    lost: int | None = 0
    if commit & _MISSED_EVENTS:
        stored = raw[end : end + 8] if commit & _MISSED_STORED else b""
        lost = int.from_bytes(stored, "little") if len(stored) == 8 else None
    return int.from_bytes(raw[:8], "little"), lost, end


def decode_page(raw: bytes, layout: PageLayout) -> Page:
    """The records of one page. Raises DecodeError when the bytes are no page."""
    time_ns, lost, end = read_header(raw, layout)
    records = tuple(_records(raw, layout.data_offset, end, time_ns))
    if records and records[-1][0] >> 64:  # once there, no later record leads back
        raise DecodeError(f"the times of a page run past 64 bits: {records[-1][0]}")
    return Page(time_ns, lost, end, records)


def _records(raw: bytes, at: int, end: int, now: int) -> Iterator[tuple[int, bytes]]:
    while at < end:
        if at + 4 > end:
            raise DecodeError(f"a record header at byte {at} runs over the data's end at {end}")
        head = int.from_bytes(raw[at : at + 4], "little")
        kind, delta = head & 31, head >> 5
        at += 4
        if 0 < kind < _PADDING:
            size = kind * 4
        elif kind == _PADDING and delta == 0:
            return  # nothing more on this page
        else:
            if at + 4 > end:
                raise DecodeError(f"a record's second word at byte {at} runs over the data's end at {end}")
            word = int.from_bytes(raw[at : at + 4], "little")
            if kind == _TIME_EXTEND:
                now += (word << _TIME_BITS) + delta
                at += 4
                continue
            if kind == _TIME_STAMP:
                before, now = now, now & -_ABSOLUTE | (word << _TIME_BITS) + delta
                if before >= _ABSOLUTE and now < before:  # its lower bits have gone round since (rb_fix_abs_ts)
                    now += _ABSOLUTE
                at += 4
                continue
            if word < 4:
                raise DecodeError(f"a record at byte {at} says that it has {word} bytes")
            at += 4
            size = (word - 4 + 3) & ~3
        if at + size > end:
            raise DecodeError(f"a record of {size} bytes at byte {at} runs over the data's end at {end}")
        now += delta
        if kind != _PADDING:  # else it was discarded
            yield now, raw[at : at + size]
        at += size
