"""An agent that really traces this machine, with a history of emptyings: no test may clear the machine's own log."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import Agent, running

from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord, Process
from kmsg_exporter.push.otlp import log_record
from kmsg_exporter.push.spool import Spool

CRON = Actor(
    pid=1320,
    tid=1320,
    comm="dmesg",
    exe="/usr/bin/dmesg",
    source="exec_trace",
    ancestors=(Process(1318, "cleanup.sh", "/usr/bin/dash"), Process(115, "cron", "/usr/sbin/cron")),
    origin="cleanup.sh",
)
# Reads the whole log again and again, by a name that would clear the screen and name the window. An empty log gives
# nothing to read, and nothing is counted then.
READER = """
import ctypes, time
open("/proc/self/comm", "wb").write(b"\\x1b[2J\\x1b]2;pwn\\x07")
klogctl = ctypes.CDLL(None).klogctl
buffer = ctypes.create_string_buffer(1 << 20)
while True:
    if not klogctl(3, buffer, len(buffer)):
        open("/dev/kmsg", "w").write("there is something to read again\\n")
    time.sleep(0.05)
"""


@pytest.fixture(scope="session", autouse=True)
def _machine_is_ready() -> None:
    subprocess.run([Path(__file__).parent / "setup.sh"], check=True)


def store(folder: Path) -> None:
    """What an agent has told before."""
    spool = Spool(folder / "state" / "spool.sqlite3")
    line = LogRecord("Out of memory: Killed process 123 (payments)", 1203, 2375290812, 3, 0)
    hidden = Hidden(389, 815, 1203, {"err": 1, "info": 388}, (line,))
    emptying = Emptying(1_795_427_100 * 10**9, hidden, "clear", "syslog", CRON)
    spool.append(
        lambda uid, sequence: log_record(
            emptying, node="node-7", boot_id="another", uid=uid, sequence=sequence, observed_unix_ns=1
        )
    )
    spool.close()


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    folder = tmp_path_factory.mktemp("agent")
    store(folder)
    with running(folder, "auto") as one:
        yield one


@contextmanager
def reader() -> Iterator[int]:
    """Its pid."""
    with subprocess.Popen([sys.executable, "-c", READER]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@pytest.fixture(scope="module")
def _reader() -> Iterator[int]:
    with reader() as pid:
        yield pid
