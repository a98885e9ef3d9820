#!/usr/bin/python3
"""The demo, inside the guest: tells the story step by step and ends with 0 only when the agent found out all of it."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

AGENT = ["kmsg-exporter", "run", "--collector.embedded", "--log.format=terminal"]
METRICS_URL = "http://localhost:10144/metrics"
EVENTS_URL = "http://localhost:4318/api/events"
TRACEFS = Path("/sys/kernel/tracing")
HOUR = Path("/run/hour")
CGROUP = Path("/sys/fs/cgroup")
OOM_LINES = "dmesg | grep -i -e oom-kill: -e 'out of memory' | cut -c -90"
METRIC_LINES = "^kmsg_(clears|emptied|hidden)"
OOM = re.compile("oom-kill:|out of memory", re.IGNORECASE)
CLEAR = '{action="clear",comm="dmesg",exe="/usr/bin/dmesg"}'
BY_ORIGIN = '{comm="dmesg",exe="/usr/bin/dmesg",expected="false",origin="cleanup.sh"}'
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.1
WIDTH = 118


class StoryError(Exception):
    """Something did not happen as the story tells it."""


def step(text: str) -> None:
    print(f"\n{text}", flush=True)


def show(text: str) -> None:
    """As output of a program: indented, long lines wrapped."""
    for line in text.splitlines():
        for part in textwrap.wrap(line, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8):
            print(part, flush=True)


def check(true: bool, what: str) -> None:
    if not true:
        raise StoryError(what)


def shell(command: str) -> str:
    """Run it, show it and what it prints; give that back."""
    print(f"  $ {command}", flush=True)
    done = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=False)
    show(done.stdout)
    return done.stdout


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        check(time.monotonic() < deadline, f"not within {WAIT_SECONDS:g} s: {what}")
        time.sleep(POLL_SECONDS)


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        text: str = response.read().decode()
        return text


class Terminal:
    """What the agent says on its terminal, line by line."""

    def __init__(self, agent: subprocess.Popen[str]) -> None:
        self._agent = agent
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._agent.stderr is not None
        for line in self._agent.stderr:
            self._lines.put(line)
        self._lines.put("")

    def show_until(self, word: str) -> str:
        """Show what it says up to the line with `word`, and give that line."""
        while True:
            try:
                line = self._lines.get(timeout=WAIT_SECONDS)
            except queue.Empty:
                line = ""
            check(line != "", f"the agent never said {word!r}")
            show(line)
            if word in line:
                return line


@contextmanager
def agent() -> Iterator[tuple[subprocess.Popen[str], Terminal]]:
    print(f"  $ {' '.join(AGENT[:3])}", flush=True)
    with subprocess.Popen(AGENT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, Terminal(process)
        finally:
            process.kill()


def start_cron() -> None:
    """A daemon that init has taken over, and that waits for us to strike the hour."""
    os.mkfifo(HOUR)
    subprocess.run(["setsid", "--fork", "/usr/sbin/cron"], check=True)


def kill_for_memory() -> None:
    """Let a service outgrow its memory cgroup."""
    (CGROUP / "cgroup.subtree_control").write_text("+memory")
    shop = CGROUP / "shop"
    shop.mkdir()
    (shop / "memory.max").write_text("32M")
    start = f"echo $$ > {shop}/cgroup.procs; exec /opt/shop/payments"
    status = subprocess.run(["sh", "-c", start], check=False).returncode
    check(status == -signal.SIGKILL, f"payments ended with {status}, not killed")


def read_event() -> dict[str, Any]:
    """Show the collector's only event as a person reads it, and give it back."""
    wait_until(lambda: bool(json.loads(get(EVENTS_URL))["events"]), "the collector has the event")
    events: list[dict[str, Any]] = json.loads(get(EVENTS_URL))["events"]
    check(len(events) == 1, f"the collector has {len(events)} events, not one")
    attributes = events[0]["attributes"]
    levels = ", ".join(f"{count} {level}" for level, count in attributes["kmsg.hidden.by_level"].items())
    show(f"node    {events[0]['node']}, at {events[0]['time']}")
    show(f"who     {events[0]['comm']}, {events[0]['exe']}, pid {attributes['process.pid']}")
    for place, ancestor in enumerate(attributes["kmsg.process.ancestors"]):
        show(f"{'' if place else 'run by':8}{ancestor}")
    show(f"hidden  {attributes['kmsg.hidden.records']} records: {levels}")
    show(f"sample  {len(attributes['kmsg.hidden.sample'])} of them, and among these:")
    for line in filter(OOM.search, attributes["kmsg.hidden.sample"]):
        show(f"        {line[:93]}")
    return events[0]


def hidden_records() -> float:
    found = re.search(r"^kmsg_hidden_records (\S+)", get(METRICS_URL), re.MULTILINE)
    return float(found[1]) if found else 0


def story() -> None:
    release = Path("/proc/sys/kernel/osrelease").read_text().strip()
    step(f"1. A Debian node, Linux {release}. The agent starts, and a collector with it.")
    start_cron()
    with agent() as (process, terminal):
        terminal.show_until("not seen")

        step("2. A service leaks memory; the kernel kills it and says so in its log.")
        kill_for_memory()
        killed = shell(OOM_LINES)
        check(bool(OOM.search(killed)), "the kernel logged no OOM kill")

        step("3. Cron runs the build server's clean-up, as it does every hour.")
        shell("cat /opt/ci/cleanup.sh")
        HOUR.write_text("12\n")
        wait_until(lambda: hidden_records() > 0, "records are hidden")

        step("4. Somebody comes to see why the service is down. There is nothing.")
        shell("dmesg | wc -l")
        check(not OOM.search(subprocess.check_output("dmesg", text=True)), "dmesg still shows the OOM kill")

        step("5. The agent has said on its terminal who did it:")
        said = terminal.show_until("was emptied by")
        check("by dmesg (/usr/bin/dmesg, pid" in said, "the agent did not name dmesg")
        check("run by cleanup.sh <- cron" in said, "the agent did not name the script and cron")

        step("6. Prometheus is told:")
        metrics = shell(f"wget -qO- {METRICS_URL} | grep -E '{METRIC_LINES}'")
        for series in (f"kmsg_clears_total{CLEAR}", f"kmsg_clears_by_origin_total{BY_ORIGIN}", "kmsg_emptied_total"):
            check(f"{series} 1.0\n" in metrics, f"{series} is not 1")

        step(f"7. The collector has the event, with what was hidden (from GET {EVENTS_URL}):")
        event = read_event()
        check(event["exe"] == "/usr/bin/dmesg", "the event does not name the executable")
        check(event["origin"] == "cleanup.sh", "the event does not name the script")
        sample = "\n".join(event["attributes"]["kmsg.hidden.sample"])
        for line in killed.splitlines():
            check(line in sample, f"the sample lacks {line!r}")

        step("8. Ctrl-C: the agent stops and leaves nothing behind.")
        process.send_signal(signal.SIGINT)
        terminal.show_until("stopped")
        check(process.wait(WAIT_SECONDS) == 0, f"the agent ended with status {process.returncode}")
        left = shell(f"cat {TRACEFS}/kprobe_events | wc -l; ls {TRACEFS}/instances | wc -l")
        check(left.split() == ["0", "0"], "something is left in tracefs")


def main() -> int:
    try:
        story()
    except StoryError as exc:
        print(f"\nthe demo failed: {exc}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
