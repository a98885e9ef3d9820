"""The end that signals ask for, however many come and whenever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

from kmsg_exporter.watching.ending import Ending

ASKED_AND_SIGNALLED = """
import os, threading
from kmsg_exporter.watching.ending import Ending
with Ending() as ending:
    waiting = threading.Thread(target=ending.wait, args=(60,))
    waiting.start()
    print("ready", flush=True)
    for _ in range(200_000):
        ending.ask()
    waiting.join()
    print("over", flush=True)
"""


def test_a_wait_ends_when_it_is_asked_for_and_not_before() -> None:
    ending = Ending()
    assert not ending.wait(0.01)
    threading.Timer(0.01, ending.ask).start()
    assert ending.wait(60)
    assert ending.asked
    assert ending.wait(60)


def test_signals_that_come_while_it_is_asked_for_do_not_hold_it_up() -> None:
    """A terminal that is closed sends one just when its end is noticed."""
    program = subprocess.Popen([sys.executable, "-c", ASKED_AND_SIGNALLED], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    deadline = time.monotonic() + 60
    while program.poll() is None and time.monotonic() < deadline:
        with suppress(ProcessLookupError):
            os.kill(program.pid, signal.SIGHUP)
        time.sleep(0.0001)
    program.kill()
    assert program.communicate(timeout=60)[0] == "over\n"
