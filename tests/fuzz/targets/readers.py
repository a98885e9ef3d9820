"""The scan of /proc/*/fd, while what it reads is cut off or vanishes."""

from __future__ import annotations

from contextlib import suppress

import frames
import living
from target import Target
from vanishing import PROC

from kmsg_exporter.process.readers import ReaderScan

_MAX_STEPS = 20


def one(data: bytes) -> None:
    scan = ReaderScan(proc=PROC, interval_seconds=0.0, monotonic=lambda: 1.0, cpu=lambda: 0.0)
    with living.files(frames.split(data)), suppress(PermissionError):
        for _ in range(_MAX_STEPS):
            scan.step(1.0)
            scan.bring_forward()
    held = scan.readers or ()
    assert {reader.interface for reader in held} <= {"dev_kmsg", "proc_kmsg"}
    assert len({(reader.pid, reader.interface) for reader in held}) == len(held) <= len(living.TIDS)
    assert 0 <= scan.unseen <= len(living.TIDS)


TARGET = Target(
    one,
    seeds=(
        frames.join((living.FOREVER, *living.process(42), *living.process(7, comm="dmesg"))),
        frames.join((bytes((6, 0, 2)), *living.process(42))),
        frames.join((bytes((9, 1, 255)), *living.process(42))),
    ),
    words=(b"flags:\t", b"0100001", b"flags:", b"\n"),
    mutate=frames.mutator(frames.changed),
)
