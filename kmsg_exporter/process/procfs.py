"""A living process as /proc shows it."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from pathlib import Path

_GONE = (FileNotFoundError, ProcessLookupError)
_HEAD_BYTES = 4096  # what is wanted of a status file stands before its lists of groups and CPUs
_IDS = re.compile(rb"^(Tgid|PPid|Uid):\t(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Living:
    """One thread and its process. `exe` is "" for a kernel thread, a zombie, or when it may not be read.

    `start_ns` is CLOCK_BOOTTIME when the thread began, rounded down to a clock tick.
    """

    tid: int
    pid: int
    parent_pid: int
    user_id: int
    comm: str
    exe: str
    start_ns: int
    zombie: bool


def read_living(tid: int, *, proc: Path) -> Living | None:
    """What /proc knows of a thread (also of one that is not a leader), None when it is gone."""
    status, stat = _head(tid, "status", proc), _head(tid, "stat", proc)
    if status is None or stat is None:
        return None
    values = dict(_IDS.findall(status))
    after_comm = stat[stat.rfind(b")") + 2 :].split()
    try:
        return Living(
            tid=tid,
            pid=int(values[b"Tgid"]),
            parent_pid=int(values[b"PPid"]),
            user_id=int(values[b"Uid"]),
            comm=text(stat[stat.find(b"(") + 1 : stat.rfind(b")")]),
            exe=read_exe(tid, proc=proc) or "",
            start_ns=int(after_comm[19]) * (10**9 // os.sysconf("SC_CLK_TCK")),
            zombie=after_comm[0] in (b"Z", b"X"),
        )
    except (IndexError, KeyError, ValueError):
        return None  # it died while it was read


def lives_on(living: Living, *, proc: Path) -> bool:
    """Whether it is still there: what was read of it since is its own, and not of somebody who has its id now."""
    now = read_living(living.tid, proc=proc)
    return now is not None and not now.zombie and now.start_ns == living.start_ns


def read_comm(tid: int, *, proc: Path) -> str | None:
    """The thread's own name, None when it is gone."""
    comm = _head(tid, "comm", proc)
    return None if comm is None else text(comm.removesuffix(b"\n"))


def read_exe(tid: int, *, proc: Path) -> str | None:
    """The executable's path, None when there is none to be had (gone, a zombie, a kernel thread, not permitted).

    Nor is there one of a file so deep below the root that its path is longer than the kernel can say.
    """
    try:
        return text(os.readlink(os.fsencode(f"{proc}/{tid}/exe")))
    except (*_GONE, PermissionError):
        return None
    except OSError as exc:
        if exc.errno != errno.ENAMETOOLONG:
            raise
        return None


def read_cgroup(pid: int, *, proc: Path) -> str | None:
    """The text of the process's cgroup file, None when it is gone."""
    try:
        return text((proc / str(pid) / "cgroup").read_bytes())
    except _GONE:
        return None


def read_command_args(pid: int, *, proc: Path) -> tuple[str, ...] | None:
    """The process's arguments as it shows them now, at most 4 KiB of them; None when it is gone or has none."""
    try:
        with (proc / str(pid) / "cmdline").open("rb") as file:
            raw = file.read(4096)
    except _GONE:
        return None
    return tuple(text(arg) for arg in raw.removesuffix(b"\0").split(b"\0")) if raw else None


def _head(tid: int, name: str, proc: Path) -> bytes | None:
    """The start of one of a thread's files, None when it is gone. Path is slow, and a scrape waits for this."""
    try:
        fd = os.open(f"{proc}/{tid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, _HEAD_BYTES)
        finally:
            os.close(fd)
    except _GONE:
        return None


def text(raw: bytes) -> str:
    """Bytes that the kernel does not promise to be UTF-8, as a string: what is not becomes U+FFFD."""
    return raw.decode("utf-8", "replace")
