"""Two maps that count in turn, on a kernel: emptied while readers read, or by somebody else."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import DEADLINE_SECONDS, TRACEFS, eventually, printk

from kmsg_exporter.probes.ticks import read_ticks
from kmsg_exporter.tracefs import dynevent, hist_pair
from kmsg_exporter.tracefs.dynevent import Kretprobe
from kmsg_exporter.tracefs.files import open_tracefs
from kmsg_exporter.tracefs.hist import Hist
from kmsg_exporter.tracefs.hist_pair import TICKS, HistPair, is_over
from kmsg_exporter.tracefs.instance import Instance

pytestmark = [pytest.mark.once, pytest.mark.backends("kprobe"), pytest.mark.hist]

GROUP = "kmsg_exchange"
EVENT = f"{GROUP}/kx_read"
READ = Kretprobe(GROUP, "kx_read", "devkmsg_read", ("ret=$retval:s64", "comm=$comm", TICKS))
READS = """
import os, select, sys
calls = size = 0
wanted = int(sys.argv[1])
while calls < wanted if wanted else not select.select([0], [], [], 0)[0]:
    fd = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
    os.lseek(fd, 0, os.SEEK_SET)
    try:
        size += len(os.read(fd, 8192)); calls += 1
    finally:
        os.close(fd)
print(calls, size)
"""


@pytest.fixture
def instance() -> Iterator[Instance]:
    tracefs = open_tracefs(TRACEFS, proc=Path("/proc"))
    with ExitStack() as stack:
        stack.callback(dynevent.undefine, tracefs, GROUP)
        one = stack.enter_context(Instance(tracefs, GROUP, buffer_size_kb=64, overwrite=False))
        dynevent.define(tracefs, READ)
        yield one


def attached(instance: Instance) -> HistPair:
    pair = HistPair(instance, EVENT, Hist(("common_pid", "comm"), ("ret",), 128, "ret > 0"))
    pair.attach()
    return pair


def reader(calls: int = 0) -> subprocess.Popen[str]:
    """One that reads so often, or until its standard input ends; it prints how often that was, and how many bytes."""
    command = [sys.executable, "-c", READS, str(calls)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_maps_are_emptied_while_readers_read_and_each_call_is_told_once(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hist_pair, "TURN", 512)  # some seconds
    pair = attached(instance)
    told: Counter[str] = Counter()
    emptied: list[bool] = []  # whether in time
    printk("for readers")

    def ticks() -> int:
        found = read_ticks(instance, group=GROUP, own_tid=threading.get_native_id(), dev=Path("/dev"))
        assert found is not None
        return found

    def read() -> None:
        for (tid, _), (calls, size) in pair.read().items():
            told.update({f"calls of {tid.decode()}": calls, f"bytes of {tid.decode()}": size})

    def exchanged() -> bool:
        now = ticks()
        if pair.empty_resting(now):
            emptied.append(not is_over(now, ticks()))
        read()
        return len(emptied) == 3

    with reader() as one, reader() as other:
        eventually(exchanged, why="both maps were emptied")
        made: Counter[str] = Counter()
        for process in (one, other):
            calls, size = process.communicate("", timeout=DEADLINE_SECONDS)[0].split()
            made.update({f"calls of {process.pid}": int(calls), f"bytes of {process.pid}": int(size)})
    read()
    assert told <= made
    assert told == made or not all(emptied)  # a machine that stands still for so long loses some, and knows it


def test_map_that_somebody_else_cleared_is_counted_from_zero(instance: Instance) -> None:
    pair = attached(instance)
    printk("for readers")
    assert calls_told(pair, 10) == [10]
    for shown in instance.tracefs.read(f"{instance.path}/events/{EVENT}/trigger").splitlines():
        head, condition, rest = shown.removesuffix(" [active]").partition(" if ")
        instance.tracefs.write(f"{instance.path}/events/{EVENT}/trigger", f"{head}:clear{condition}{rest}\n")
    assert calls_told(pair, 3) == [3]


def calls_told(pair: HistPair, calls: int) -> list[int]:
    """What the pair tells of a process that reads so often."""
    reader(calls).communicate("", timeout=DEADLINE_SECONDS)
    return [count for count, _ in pair.read().values()]
