"""Pages: records lie inside their page, in order of time, and cutting off what is unused changes nothing."""

from __future__ import annotations

import random

import frames
import pages
from fake_tracefs import data as short
from fake_tracefs import discarded, page_end, time_extend, time_stamp
from target import Target

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.tracefs.page import decode_page, read_header

_EXEC = pages.event("sched/sched_process_exec")
_ABSOLUTE = 31  # a record that sets the clock instead of moving it on


def one(data: bytes) -> None:
    try:
        page = decode_page(data, pages.LAYOUT)
    except DecodeError:
        return
    assert read_header(data, pages.LAYOUT) == (page.time_ns, page.lost, page.data_end)
    assert pages.LAYOUT.data_offset <= page.data_end <= len(data)
    assert page.lost is None or 0 <= page.lost < 1 << 64
    body = data[pages.LAYOUT.data_offset : page.data_end]
    assert sum(4 + len(record) for _, record in page.records) <= len(body)
    assert all(len(record) % 4 == 0 and record in body for _, record in page.records)
    times = [page.time_ns, *(time_ns for time_ns, _ in page.records)]
    assert 0 <= min(times) <= max(times) < 1 << 64
    if not any(part[0] & 31 == _ABSOLUTE for part in pages.parts(body)):
        assert times == sorted(times)
    assert decode_page(data[: page.data_end], pages.LAYOUT).records == page.records


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    dice = random.Random(seed)
    return (pages.change if dice.random() < 0.9 else frames.changed)(data, dice)[:max_size]


TARGET = Target(
    one,
    seeds=(
        *pages.REAL,
        pages.of(),
        pages.of(pages.one(_EXEC, 42, pid=42, filename=b"/usr/bin/dmesg"), lost=3),
        pages.of(pages.one(_EXEC, 42), time_extend(1 << 40), pages.one(_EXEC, 43), page_end()),
        pages.of(time_stamp(1 << 50), discarded(5, 8), short(2, bytes(300))),
    ),
    mutate=mutate,
    max_bytes=4096,
)
