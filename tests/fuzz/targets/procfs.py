"""Files of /proc that hold anything, are cut off, and are gone or refused at any moment."""

from __future__ import annotations

from contextlib import suppress

import frames
import living
from target import Target
from vanishing import PROC

from kmsg_exporter.process import procfs


def one(data: bytes) -> None:
    with living.files(frames.split(data)):
        for tid in living.TIDS:
            with suppress(PermissionError):
                _read(tid)


def _read(tid: int) -> None:
    thread = procfs.read_living(tid, proc=PROC)
    if thread is not None:
        assert thread.tid == tid
        assert min(thread.pid, thread.parent_pid, thread.user_id, thread.start_ns) >= 0
        assert len(thread.comm.encode()) <= 3 * procfs._HEAD_BYTES
    arguments = procfs.read_command_args(tid, proc=PROC)
    assert arguments is None or sum(map(len, arguments)) <= 4096
    for read in (procfs.read_comm, procfs.read_exe, procfs.read_cgroup):
        text = read(tid, proc=PROC)
        assert text is None or text.encode().decode() == text


TARGET = Target(
    one,
    seeds=(
        frames.join((living.FOREVER, *living.process(42), *living.process(7, comm="a) Z (b"))),
        frames.join((bytes((3, 1, 1)), *living.process(42))),
        frames.join((bytes((2, 2, 255)), *living.process(42))),
    ),
    words=(b"Tgid:\t", b"PPid:\t", b"Uid:\t", b") Z ", b"\n"),
    mutate=frames.mutator(frames.changed),
)
