"""Processes out of fuzzed bytes: the first piece says when they vanish and how, the others are their files."""

from __future__ import annotations

import os
from collections.abc import Sequence

from vanishing import VanishingFiles

_KMSG = os.makedev(1, 11)
_FILES = ("status", "stat", "comm", "cgroup", "cmdline", "exe", "cwd", "fdinfo/3", "fd/3")
FOREVER = bytes((255, 0, 255))
TIDS = (42, 7, 1)
"""Whose files they are: nine pieces each."""


def process(
    tid: int, *, parent: int = 1, comm: str = "bash", exe: bytes = b"/usr/bin/bash", cgroup: bytes = b"0::/\n"
) -> list[bytes]:
    """The pieces of one process as a kernel shows it, holding the log open for reading."""
    status = f"Name:\t{comm}\nState:\tS (sleeping)\nTgid:\t{tid}\nPid:\t{tid}\nPPid:\t{parent}\nUid:\t0\t0\t0\t0\n"
    stat = f"{tid} ({comm}) S {parent} 1 1 0 -1 4194304 {'0 ' * 12}100 9 9 9\n"
    return [
        *(status.encode(), stat.encode(), f"{comm}\n".encode(), cgroup, f"{comm}\0-C\0".encode(), exe, b"/"),
        *(b"pos:\t0\nflags:\t0100000\nmnt_id:\t26\nino:\t5\n", b"/dev/kmsg"),
    ]


def files(pieces: Sequence[bytes]) -> VanishingFiles:
    """The /proc that `pieces` make; each thread's files as far as they go."""
    moments = (pieces[0] if pieces else b"").ljust(3, b"\xff")
    found: dict[str, bytes] = {"kmsg": b""}
    links: dict[str, bytes] = {}
    devices: dict[str, int] = {}
    for number, piece in enumerate(pieces[1:]):
        if number >= len(_FILES) * len(TIDS):
            break
        name = _FILES[number % len(_FILES)]
        path = f"{TIDS[number // len(_FILES)]}/{name}"
        if name in ("exe", "cwd", "fd/3"):
            links[path] = piece.replace(b"\0", b"")
            if name == "fd/3" and piece.startswith(b"/dev"):
                devices[path] = _KMSG
        else:
            found[path] = piece
    lasts = moments[0] if moments[0] < 255 else 1 << 30
    most = moments[2] * 16 if moments[2] < 255 else 1 << 30
    return VanishingFiles(found, links, devices, lasts=lasts, gone_with=moments[1], most=most)
