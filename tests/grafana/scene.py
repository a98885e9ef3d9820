"""Runs in a booted guest: an agent, all that can happen to the log, and a scrape after each step, kept in /out."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

METRICS = "http://127.0.0.1:10144/metrics"
COMMAND = [
    *(sys.executable, "-m", "kmsg_exporter", "run", "--backend=kprobe", "--expected=origin=nightly-ci.sh"),
    *("--readers.scan-interval-seconds=1", "--push.endpoint=http://127.0.0.1:9"),
]
WORK = Path(tempfile.mkdtemp())
LOG = WORK / "agent.log"
DEADLINE_SECONDS = 120.0
CLEAR = 5


def scrape() -> str:
    """What Prometheus is answered: the header is what tells the agent that it is one."""
    request = urllib.request.Request(METRICS, headers={"X-Prometheus-Scrape-Timeout-Seconds": "10"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


def scrapes_until(wanted: str) -> Iterator[str]:
    """The scrape in which a series appears, at 0 when it is born in it, and the one that shows its value."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    born = False
    while time.monotonic() < deadline:
        with suppress(OSError):
            page = scrape()
            found = [line for line in page.splitlines() if line.startswith(wanted)]
            if found and not (born and found[0].endswith(" 0.0")):
                yield page
                if not found[0].endswith(" 0.0"):
                    return
                born = True
        time.sleep(0.2)
    raise SystemExit(f"not within {DEADLINE_SECONDS:g} s: {wanted}\n{LOG.read_text()}")


def script(name: str, text: str) -> None:
    """Run some shell as a script of that name."""
    path = WORK / name
    path.write_text(f"#!/bin/sh\n{text}\ntrue\n")
    path.chmod(0o755)
    subprocess.run([path], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def say(text: str) -> None:
    Path("/dev/kmsg").write_bytes(f"<3>{text}\n".encode())


def refused_clear() -> None:
    """A clear by a user that may not."""
    if child := os.fork():
        os.waitpid(child, 0)
        return
    os.setuid(65534)
    ctypes.CDLL(None).klogctl(CLEAR, None, 0)
    os._exit(0)


@contextmanager
def holding_proc_kmsg(count: int) -> Iterator[None]:
    """Processes that hold /proc/kmsg open."""
    started = [subprocess.Popen(["/usr/bin/tail", "-f", "/proc/kmsg"], stdout=subprocess.DEVNULL) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def steps() -> Iterator[str]:
    """Scrapes, oldest first."""
    yield from scrapes_until("kmsg_buffer_bytes")
    for number in range(3):
        say(f"a fault that somebody should see, number {number}")
        script("cleanup.sh", "dmesg >/dev/null\ndmesg -C")
        yield from scrapes_until('kmsg_clears_by_origin_total{comm="dmesg",exe="/usr/bin/dmesg",expected="false"')
    say("one more")
    script("nightly-ci.sh", "dmesg -c")
    yield from scrapes_until('kmsg_clears_by_origin_total{comm="dmesg",exe="/usr/bin/dmesg",expected="true"')
    refused_clear()
    yield from scrapes_until("kmsg_clears_denied_total{")
    script("console.sh", "dmesg -n 4\ndmesg -D\ndmesg -E")
    yield from scrapes_until("kmsg_console_changes_total{")
    script("reader.sh", "timeout 2 cat /dev/kmsg")
    yield from scrapes_until('kmsg_reads_total{action="read"')
    with holding_proc_kmsg(2):
        yield from scrapes_until('kmsg_readers{comm="tail",exe="/usr/bin/tail",interface="proc_kmsg"} 2')
        yield from scrapes_until("kmsg_exporter_push_failures_total{")


def main() -> None:
    out = Path("/out")
    out.mkdir(exist_ok=True)
    environment = os.environ | {"PYTHONPATH": "/opt/kmsg-exporter"}
    with LOG.open("wb") as log, subprocess.Popen(COMMAND, stderr=log, env=environment) as agent:
        try:
            for number, page in enumerate(steps()):
                (out / f"kprobe-{number:02}.prom").write_text(page)
        finally:
            agent.terminate()


if __name__ == "__main__":
    main()
