"""/proc/self/mountinfo: the file systems in it, or none."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from target import Target
from vanishing import PROC, VanishingFiles

from kmsg_exporter.errors import TracefsError
from kmsg_exporter.tracefs.files import open_tracefs


def one(data: bytes) -> None:
    files = VanishingFiles({"self/mountinfo": data}, {}, {}, lasts=1 << 30, gone_with=0, most=1 << 30)
    with files, suppress(TracefsError):
        assert open_tracefs(Path("/"), proc=PROC).root == Path("/")


TARGET = Target(
    one,
    seeds=(
        b"26 1 0:24 / / rw,relatime - tracefs tracefs rw\n",
        b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
        b"39 24 0:12 / /sys/kernel/tra\\040cing rw,nosuid - tracefs tracefs rw\n26 1 8:1 / / rw - ext4 /dev/sda rw\n",
    ),
    words=(b" - tracefs ", b" 0:24 ", b"\n"),
)
