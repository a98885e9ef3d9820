"""/proc/locks: who holds a file, or nobody."""

from __future__ import annotations

from target import Target
from vanishing import PROC, VanishingFiles

from kmsg_exporter.tracefs.lock import _holder


def one(data: bytes) -> None:
    with VanishingFiles({"locks": data}, {}, {}, lasts=1 << 30, gone_with=0, most=1 << 30):
        holder = _holder(123, PROC / "locks")
    assert holder is None or str(holder) in data.decode("utf-8", "replace")


TARGET = Target(
    one,
    seeds=(
        b"1: FLOCK  ADVISORY  WRITE 4242 00:2f:123 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 7 00:2f:123 0 EOF\n",
        b"2: POSIX  ADVISORY  READ -1 08:01:9 128 128\n3: FLOCK  ADVISORY  READ 0 00:2f:123 0 EOF\n",
    ),
    words=(b"FLOCK", b":123", b" 4242 ", b" -> "),
)
