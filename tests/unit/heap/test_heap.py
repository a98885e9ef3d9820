"""Many threads, one heap; and what is free is the kernel's again."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAPS = """
import ctypes, os, sys, threading
from kmsg_exporter import heap
if sys.argv[1] == "shared":
    heap.share()
together = threading.Barrier(6)
def work():
    together.wait()
    for _ in range(200):
        [bytearray(5000) for _ in range(50)]
threads = [threading.Thread(target=work) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
end, other = os.pipe()
file = ctypes.c_void_p(libc.fdopen(other, b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
print(os.read(end, 65536).count(b"<heap "))
"""

KEPT = """
import sys
from kmsg_exporter import heap
if sys.argv[1] == "returned":
    heap.return_large()
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS:")) / 1024
bytearray(8 << 20)
large, small, before = [], [], resident()
for _ in range(50):
    large.append(bytearray(2 << 20))
    small.append(bytearray(4000))
del large
print(resident() - before)
"""


@pytest.mark.parametrize(("heap", "one"), [("shared", True), ("as it was", False)])
def test_threads_share_one_heap_from_then_on(heap: str, one: bool) -> None:
    heaps = subprocess.run([sys.executable, "-c", HEAPS, heap], check=True, capture_output=True, text=True).stdout
    assert (int(heaps) == 1) == one


@pytest.mark.parametrize(("heap", "less"), [("returned", True), ("as it was", False)])
def test_large_blocks_go_back_though_small_ones_live_between_them(heap: str, less: bool) -> None:
    """Of 100 MiB."""
    kept = subprocess.run([sys.executable, "-c", KEPT, heap], check=True, capture_output=True, text=True).stdout
    assert (float(kept) < 10) == less
