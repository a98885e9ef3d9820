"""A path given to execve, made comparable with what /proc/PID/exe would have said."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from kmsg_exporter.process.procfs import text

_MAX_LINKS = 40  # as the kernel's MAXSYMLINKS
_MAX_INTERPRETERS = 5  # as the kernel's limit in exec_binprm
_TICK_NS = 10_000_000
_HEAD = 256  # as the kernel's BINPRM_BUF_SIZE


def as_exe(filename: str, *, root: Path, unix_ns: int) -> tuple[str, bool]:
    """(exe, derived) for an execve of `filename` at `unix_ns` of the wall clock, seen from the root folder `root`.

    A symlink and a script's interpreter are followed as the kernel follows them. `derived` is False only where the
    path is taken as it was recorded. Nothing found at the path, or one that only its caller could follow (a relative
    one, `/dev/fd/3`), or a symlink or script that is another since: it is returned as it is.
    """
    path = filename
    for _ in range(_MAX_INTERPRETERS):
        if not path.startswith("/"):  # where the dead were is not known; an interpreter is relative to that too
            return path, True
        real = resolve(path, root=root, unix_ns=unix_ns)
        if real is None:
            return path, True
        file = root / real.lstrip("/")
        interpreter = _interpreter(file)
        if interpreter is None or _changed(file, unix_ns):
            return text(os.fsencode(real)), real != filename
        path = interpreter
    return path, True


def resolve(path: str, *, root: Path, unix_ns: int) -> str | None:
    """`path` without symlinks, `.` and `..`, as a process whose root folder is `root` saw it at `unix_ns`.

    None if it is not there, or leads over /proc/self, which is another place for everybody, or over a newer symlink.
    """
    todo = [part for part in reversed(path.split("/")) if part]
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part == ".":
            continue
        if part == "..":
            done[-1:] = []
            continue
        if done == ["proc"] and part in ("self", "thread-self"):
            return None
        try:
            target = os.readlink(root.joinpath(*done, part))
        except OSError:
            done.append(part)
            continue
        links += 1
        if links > _MAX_LINKS or _changed(root.joinpath(*done, part), unix_ns):
            return None
        if target.startswith("/"):
            done = []
        todo.extend(piece for piece in reversed(target.split("/")) if piece)
    return "/" + "/".join(done) if os.path.lexists(root.joinpath(*done)) else None


def _changed(path: Path, unix_ns: int) -> bool:
    """Whether somebody may have touched it since. Files are stamped with the last tick's time, up to 10 ms early."""
    try:
        return path.lstat().st_ctime_ns > unix_ns - _TICK_NS
    except OSError:
        return True


def _interpreter(path: Path) -> str | None:
    """What a script's `#!` line names, None for anything else."""
    try:
        # a fifo or a device must not be opened: it could wait for ever
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except (OSError, ValueError):
        return None
    if not head.startswith(b"#!"):
        return None
    words = head[2:].split(b"\n", 1)[0].split(b"\0", 1)[0].split()
    return text(words[0]) if words else None
