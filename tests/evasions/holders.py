"""Processes that hold the log open, each in a way and under a name of its own, until standard input ends."""

from __future__ import annotations

import array
import ctypes
import os
import platform
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

_FILES, _NEWNS, _NEWPID, _NEWUSER = 0x400, 0x20000, 0x20000000, 0x10000000
_EXIT_THREAD = {"x86_64": 60, "aarch64": 93}
INSIDE = "in namespaces"
GIVES, GIVEN = "gives it away", "is given it"
OF_A_THREAD = ("in a table", "has no leader")
_libc = ctypes.CDLL(None, use_errno=True)


def _ready(name: str) -> NoReturn:
    """Say so, and stay."""
    Path("/proc/self/comm").write_text(name)
    os.write(1, b"ready\n")
    os.read(0, 1)
    os._exit(0)


def _opened(path: str, flags: int = os.O_RDONLY) -> int:
    return os.open(path, flags)


def _duplicated() -> None:
    file = _opened("/dev/kmsg")
    os.dup2(file, 100)
    os.close(file)


def _inherited() -> None:
    """The child has it, who opened it has not."""
    file = _opened("/dev/kmsg")
    if os.fork() == 0:
        _ready("inherits")
    os.close(file)


def _passed() -> None:
    here, there = socket.socketpair()
    if os.fork() == 0:
        _, control, _, _ = there.recvmsg(1, socket.CMSG_SPACE(4))
        assert control
        here.close()
        _ready("was passed")
    file = _opened("/dev/kmsg")
    here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))])
    os.close(file)
    here.close()
    there.close()


def _gives_away() -> None:
    """Upon SIGUSR1 it passes what it has to one that was there before, and lets go of it; both say so."""
    here, there = socket.socketpair()
    if os.fork() == 0:
        os.write(1, b"ready\n")
        _, control, _, _ = there.recvmsg(1, socket.CMSG_SPACE(4))
        assert control
        _ready(GIVEN)
    file = _opened("/dev/kmsg")

    def give(_number: int, _frame: object) -> None:
        here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))])
        os.close(file)
        os.write(1, b"ready\n")

    signal.signal(signal.SIGUSR1, give)


def _in_own_table() -> None:
    """One thread has it, in a table of its own."""
    opened = threading.Event()

    def hold() -> None:
        assert _libc.unshare(_FILES) == 0
        _opened("/dev/kmsg")
        opened.set()
        threading.Event().wait()

    threading.Thread(target=hold, daemon=True).start()
    opened.wait()


def _without_leader() -> None:
    """The first thread is gone, another has it."""
    Path("/proc/self/comm").write_text("has no leader")
    leader = threading.get_native_id()

    def hold() -> None:
        _opened("/dev/kmsg")
        while Path(f"/proc/{leader}/stat").read_text().rpartition(") ")[2][0] != "Z":
            os.sched_yield()
        os.write(1, b"ready\n")
        os.read(0, 1)
        os._exit(0)

    threading.Thread(target=hold, daemon=True).start()
    _libc.syscall(_EXIT_THREAD[platform.machine()], 0)


def _in_namespaces() -> None:
    """With pids and mounts, and so a /proc, of its own."""
    assert _libc.unshare(_NEWPID) == 0
    if os.fork() == 0:
        assert _libc.unshare(_NEWNS) == 0
        assert _libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None) == 0  # MS_REC | MS_PRIVATE
        assert _libc.mount(b"proc", b"/proc", b"proc", 0, None) == 0
        _opened("/proc/kmsg")
        _ready(INSIDE)


def _in_user_namespace() -> None:
    """It was opened before, by somebody who might."""
    _opened("/dev/kmsg")
    assert _libc.unshare(_NEWUSER) == 0


HOLDERS: dict[str, Callable[[], object]] = {
    "reads dev": lambda: _opened("/dev/kmsg"),
    "reads proc": lambda: _opened("/proc/kmsg"),
    "reads, writes": lambda: _opened("/dev/kmsg", os.O_RDWR),
    "writes only": lambda: _opened("/dev/kmsg", os.O_WRONLY),
    "duplicates": _duplicated,
    "opens for it": _inherited,
    "passes it on": _passed,
    "makes spaces": _in_namespaces,
    "in a user's": _in_user_namespace,
    GIVES: _gives_away,
    "in a table": _in_own_table,
    "has no leader": _without_leader,
}

READY = len(HOLDERS) + 4  # and the children of four of them


if __name__ == "__main__":
    for name, hold in HOLDERS.items():
        if os.fork() == 0:
            hold()
            _ready(name)
    os.read(0, 1)
