"""/dev/kmsg opened, or why it can't be: what has its name need not be the kernel's log."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from kmsg_exporter.errors import RingUnavailable

_KMSG_DEVICE: Final = os.makedev(1, 11)
_KINDS: Final = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISREG, "a file"), (stat.S_ISDIR, "a folder"))


def open_kmsg(path: Path) -> int:
    """A descriptor that reads without waiting. Raises RingUnavailable.

    Looked at before it is opened: opening a pipe wakes who writes to it, and a console may become this process' own.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  tests have a device that no file is
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != _KMSG_DEVICE:
            raise RingUnavailable(
                f"{path}: not the kernel log's device but {_kind(path, status)}, as containers have it"
            )
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        why = {
            errno.EPERM: "not permitted: CAP_SYSLOG is missing, or a container's device cgroup refuses it",
            errno.EACCES: "permission denied: run as root",
            errno.ENOENT: "there is no such device here",
        }.get(exc.errno or 0, exc.strerror)
        raise RingUnavailable(f"{path}: {why}") from exc


def _kind(path: Path, status: os.stat_result) -> str:
    """What it is, e.g. `a link to /dev/console`."""
    if path.is_symlink():
        return f"a link to {path.readlink()}"
    named = next((name for is_one, name in _KINDS if is_one(status.st_mode)), None)
    return named or f"device {os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
