"""hang.py TID: stop one thread for ever, as a hang would, and no other; ends when that thread does.

SIGSTOP stops a whole process; ptrace(2) stops the thread that it is told to. Prints `hangs` once it does.
"""

from __future__ import annotations

import ctypes
import os
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000  # __WALL of wait(2): threads too


def main(tid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, tid, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace({request:#x}, {tid})")
    while True:
        _, status = os.waitpid(tid, WALL)
        if not os.WIFSTOPPED(status):
            return
        print("hangs", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
