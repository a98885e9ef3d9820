"""The origin of a call: the nearest ancestor that says something, past bare shells and wrappers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kmsg_exporter.model import Process

# A script shows by its own comm (`cleanup.sh`, not `sh`): what is called like this is a shell or a wrapper, no more.
PASSED_OVER: Final = frozenset(
    {
        *("sh", "bash", "rbash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "busybox", "toybox"),
        *("sudo", "su", "doas", "runuser", "setpriv", "capsh", "pkexec", "env", "xargs", "timeout", "nohup", "nice"),
        *("ionice", "chrt", "taskset", "setsid", "stdbuf", "script", "time", "watch", "flock", "chroot", "nsenter"),
        *("unshare", "find", "parallel", "tini", "dumb-init", "catatonit"),
    }
)


def origin(ancestors: Sequence[Process]) -> str:
    """The comm of the nearest ancestor that is not passed over, "" when there is none. A login shell is "-bash"."""
    names = (process.comm for process in ancestors)
    return next((name for name in names if name and name.removeprefix("-") not in PASSED_OVER), "")
