"""More readers wait than a return probe can follow: no call is lost unseen, and who clears is named as ever."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support import DEADLINE_SECONDS, TRACEFS, Agent, eventually, printk, run_python, running, stopped

pytestmark = pytest.mark.backends("kprobe")

FOLLOWED = 256
WAITING = 270
DMESG = shutil.which("dmesg") or "dmesg"
SYSLOG = {"x86_64": "103", "aarch64": "116"}[platform.machine()]
CLEARED = {"comm": "dmesg", "exe": os.path.realpath(DMESG), "action": "clear"}
WAITS = f"""
import ctypes, os, threading
open('/proc/self/comm', 'w').write('waits')
klogctl = ctypes.CDLL(None).klogctl
calls = []
def wait():
    fd = os.open('/dev/kmsg', os.O_RDONLY)
    os.lseek(fd, 0, os.SEEK_END)
    record = b''
    while b'the end' not in record:
        record = os.read(fd, 8192)
        calls.append(len(record))
def wait_syslog():
    while True:
        klogctl(2, ctypes.create_string_buffer(1024), 1024)
threads = [threading.Thread(target=WAY, daemon=True) for _ in range({WAITING})]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len(calls))
"""
READS = """
fd = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
for _ in range(7):
    os.lseek(fd, 0, os.SEEK_SET)
    os.read(fd, 8192)
"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Iterator[Agent]:
    with running(tmp_path_factory.mktemp("agent"), backend) as one:
        yield one


@contextmanager
def waiting(way: str, are_in: Callable[[int], bool]) -> Iterator[subprocess.Popen[str]]:
    """So many threads of one process; `are_in` says by its pid whether all of them wait."""
    with subprocess.Popen([sys.executable, "-c", WAITS.replace("WAY", way)], stdout=subprocess.PIPE, text=True) as one:
        try:
            eventually(lambda: are_in(one.pid), why="all of them wait")
            yield one
        finally:
            one.kill()


def are_in_syslog(pid: int) -> bool:
    """Whether so many threads sleep in syslog(2)."""
    found = 0
    for path in Path(f"/proc/{pid}/task").glob("*/syscall"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += path.read_text().split()[0] == SYSLOG
    return found == WAITING


def missed(probe: str) -> int:
    (found,) = re.findall(rf"^\s*ke_{probe}\s+\d+\s+(\d+)", (TRACEFS / "kprobe_profile").read_text(), re.MULTILINE)
    return int(found)


def test_reads_that_could_not_be_followed_are_counted_as_missed(agent: Agent) -> None:
    printk("for readers")
    cleared, unattributed = (agent.count(name) for name in ("kmsg_clears_total", "kmsg_unattributed_clears_total"))
    with stopped(agent):
        before = missed("devkmsg_read")
        with waiting("wait", lambda _: missed("devkmsg_read") - before == WAITING - FOLLOWED) as readers:
            run_python(READS, name="reads-too")
            subprocess.run([DMESG, "-C"], check=True)
            printk("the end")
            made = int(readers.communicate(timeout=DEADLINE_SECONDS)[0])
        lost = missed("devkmsg_read") - before
    eventually(lambda: agent.count("kmsg_reads_total", comm="waits") == made + 7 - lost)
    assert agent.count("kmsg_clears_total", **CLEARED) == agent.count("kmsg_clears_total") == cleared + 1
    assert lost == WAITING - FOLLOWED + 7
    assert agent.value("kmsg_reads_total", comm="reads-too") is None
    assert agent.count("kmsg_exporter_probe_missed_total", probe="devkmsg_read") >= before + lost
    assert agent.count("kmsg_unattributed_clears_total") == unattributed


def test_clear_whose_return_could_not_be_followed_is_named(agent: Agent) -> None:
    cleared = agent.count("kmsg_clears_total", **CLEARED)
    unattributed = agent.count("kmsg_unattributed_clears_total")
    with waiting("wait_syslog", are_in_syslog) as readers:
        before = missed("syslog_exit")
        printk("to be cleared")  # which one of them reads
        eventually(lambda: are_in_syslog(readers.pid))
        subprocess.run([DMESG, "-C"], check=True)
        eventually(lambda: agent.count("kmsg_clears_total", **CLEARED) == cleared + 1)
        assert missed("syslog_exit") > before
    assert agent.count("kmsg_unattributed_clears_total") == unattributed
