"""Histograms: any text gives maps or a typed error, and what a process calls itself makes no count another."""

from __future__ import annotations

from contextlib import suppress

import frames
from target import Target

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.tracefs.hist import parse_hist

_HEAD = (
    b"# event histogram\n#\n"
    b"# trigger info: hist:keys=common_pid,comm:vals=hitcount,ret:sort=hitcount:size=1024 if ret > 0 [active]\n#\n\n"
)


def one(data: bytes) -> None:
    text, *comms = frames.split(data) or [b""]
    with suppress(DecodeError):
        for shown in parse_hist(text):
            assert min(shown.hits, shown.dropped) >= 0
            assert len(shown.entries) <= text.count(b"{")
            assert all(len(b"".join(keys)) + len(sums) <= len(text) for keys, sums in shown.entries.items())
            if "keys=common_pid,comm:" in shown.trigger:
                assert all(int(pid) >= 0 for pid, _comm in shown.entries)
    counted = {(7, comm.split(b"\0")[0][:15]): number for number, comm in enumerate(comms, start=1)}
    (shown,) = parse_hist(_shown(counted))
    assert sum(hits for hits, _ret in shown.entries.values()) == shown.hits == sum(counted.values())
    assert {pid for pid, _comm in shown.entries} <= {b"7"}


def _shown(counted: dict[tuple[int, bytes], int]) -> bytes:
    """As a kernel shows it (kernel/trace/trace_events_hist.c)."""
    entries = (
        b"{ common_pid: %10d, comm: %-50s } hitcount: %10d  ret: %10d\n" % (pid, comm, hits, hits * 60)
        for (pid, comm), hits in counted.items()
    )
    totals = b"\nTotals:\n    Hits: %d\n    Entries: %d\n    Dropped: 0\n" % (sum(counted.values()), len(counted))
    return _HEAD + b"".join(entries) + totals


TARGET = Target(
    one,
    seeds=(
        frames.join((_shown({(7, b"cat"): 3, (9, b"a } b"): 5}), b"cat", b"dmesg")),
        frames.join((_shown({}) + _shown({(1, b"x"): 1}), b"x } hitcount: 1", b"\n{ comm: a")),
    ),
    words=(b" } hitcount: ", b"{ common_pid: ", b", comm: ", b"  ret: ", b"\nTotals:\n", b"    Hits: "),
    mutate=frames.mutator(frames.changed),
)
