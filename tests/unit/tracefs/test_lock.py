"""The lock of a node, by real flock(2) and the machine's own /proc/locks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kmsg_exporter.errors import AlreadyRunning
from kmsg_exporter.tracefs.lock import hold

PROC = Path("/proc")


def test_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    fd = hold(tmp_path, proc=PROC)
    try:
        with pytest.raises(AlreadyRunning) as running:
            hold(tmp_path, proc=PROC)
        assert str(running.value) == (
            f"another kmsg-exporter (pid {os.getpid()}) runs on this node and holds {tmp_path}: stop it first"
        )
    finally:
        os.close(fd)


def test_released_lock_can_be_held_again(tmp_path: Path) -> None:
    os.close(hold(tmp_path, proc=PROC))
    os.close(hold(tmp_path, proc=PROC))


@pytest.mark.parametrize(
    "lines",
    [
        "1: POSIX  ADVISORY  WRITE 17 00:2e:1 0 EOF\n2: -> FLOCK\n",
        "1: FLOCK  ADVISORY  WRITE x 00:2e:{inode} 0 EOF\n2: FLOCK  ADVISORY  WRITE \xff 00:2e:{inode} 0\n",
    ],
    ids=["not listed", "listed without a number"],
)
def test_holder_that_the_list_does_not_tell_stays_unnamed(tmp_path: Path, lines: str) -> None:
    (tmp_path / "locks").write_text(lines.format(inode=tmp_path.stat().st_ino), encoding="latin-1")
    fd = hold(tmp_path, proc=tmp_path)
    try:
        with pytest.raises(AlreadyRunning) as running:
            hold(tmp_path, proc=tmp_path)
        assert str(running.value) == f"another kmsg-exporter runs on this node and holds {tmp_path}: stop it first"
    finally:
        os.close(fd)


def test_refused_lock_leaves_no_descriptor_open(tmp_path: Path) -> None:
    fd = hold(tmp_path, proc=PROC)
    try:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(AlreadyRunning):
            hold(tmp_path, proc=PROC)
        assert len(os.listdir("/proc/self/fd")) == before
    finally:
        os.close(fd)
