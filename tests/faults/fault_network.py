"""A network of a thread's own, with a loopback that can be cut."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Callable

_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def in_own_network(run: Callable[[], None]) -> None:
    """Call it in a thread whose network, and that of threads it starts, is a new one. What it raises is raised here."""
    raised: list[BaseException] = []

    def main() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.unshare(_CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            loopback(up=True)
            run()
        except BaseException as exc:  # noqa: BLE001  carried to the caller
            raised.append(exc)

    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def loopback(*, up: bool) -> None:
    """Switch this thread's loopback on, or cut it: packets vanish, nobody is told."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, asked))[1]
        wanted = flags | _IFF_UP if up else flags & ~_IFF_UP
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", wanted))
