"""Somebody who has only the README: from the files to the culprit's name, in the README's order and by its commands.

Runs as root on this machine's own kernel, clears its log, and prints what each step took.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from copy_of_machine import Machine, eventually, get, interrupt

READY = "http://localhost:10144/-/ready"
CULPRIT = """\
#!/bin/sh
echo 'something happened' > /dev/kmsg && dmesg -C     # hides this machine's log, as the culprit does
exit 0
"""
REDACTED = r"""
kmsg-exporter run --push.sample=errors --push.redact='password=\S+' --push.redact='([0-9]{1,3}\.){3}[0-9]{1,3}'
""".strip()


class Clock:
    """Prints what was reached, and after how long."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def reached(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {what}", flush=True)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("terminal") / "output"


@pytest.fixture(scope="module", autouse=True)
def first(machine: Machine, terminal: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The first terminal: an agent with its collector, from nothing."""
    clock = Clock()
    print()
    process = machine.start("make run", terminal)
    try:
        eventually(lambda: machine.run("ls .venv/run.stamp", allowed=(0, 2)).stdout or process.poll(), "is installed")
        clock.reached("installed")
        eventually(lambda: get(READY) or process.poll(), "the agent is ready")
        clock.reached("ready")
        yield process
    finally:
        if process.poll() is None:
            interrupt(process)


def test_the_culprit_is_named_on_the_terminal(machine: Machine, terminal: Path) -> None:
    machine.write("/srv/culprit.sh", CULPRIT, mode="755")
    clock = Clock()
    machine.run("/srv/culprit.sh")
    clock.reached("cleared")
    line = eventually(
        lambda: re.findall(r".* was emptied by dmesg .*culprit\.sh.*", terminal.read_text()), "the name is told"
    )
    clock.reached(line[0].strip())
    assert re.search(r"was emptied by dmesg \(/usr/bin/dmesg, pid \d+\) run by culprit\.sh", line[0])


def test_why_and_recover_say_so(machine: Machine) -> None:
    why = machine.run(".venv/bin/kmsg-exporter why", allowed=(3,)).stdout
    assert "run by culprit.sh" in why
    assert "something happened" in machine.run(".venv/bin/kmsg-exporter recover").stdout


def test_the_other_commands_answer(machine: Machine) -> None:
    assert "culprit.sh" in machine.run("kmsg-exporter history").stdout
    assert "in use by the agent that runs here" in machine.run("kmsg-exporter doctor").stdout
    assert "culprit.sh" in machine.run("kmsg-exporter why", allowed=(3,)).stdout
    assert "something happened" in machine.run("kmsg-exporter recover").stdout


def test_what_a_person_looks_up_is_there(machine: Machine) -> None:
    assert "kmsg-exporter" in machine.run("ss -ltnp sport = :10144").stdout
    assert "--collector.embedded" in machine.run("kmsg-exporter run --help").stdout
    assert len(machine.run("openssl rand -hex 32").stdout) == 65


def test_the_collector_has_the_event(machine: Machine) -> None:
    events = json.loads(machine.run("curl -s 'http://localhost:4318/api/events?since=24h&limit=20'").stdout)["events"]
    assert "culprit.sh" in [event["origin"] for event in events]
    severe = machine.run("curl 'http://localhost:4318/api/events?since=24h&severe=1&limit=20'").stdout
    assert all(event["severe"] for event in json.loads(severe)["events"])


def test_a_backup_is_made_while_it_runs(machine: Machine) -> None:
    machine.run("mkdir /backups")
    machine.run("kmsg-exporter collector --backup /backups/kmsg.sqlite3")
    assert machine.run("head -c 15 /backups/kmsg.sqlite3").stdout == "SQLite format 3"


def test_ctrl_c_ends_it_and_nothing_is_left(machine: Machine, terminal: Path, first: subprocess.Popen[bytes]) -> None:
    interrupt(first)
    assert terminal.read_text().rstrip().splitlines()[-1].endswith("stopped; nothing is left in tracefs")
    assert machine.run("ls /sys/kernel/tracing/instances | grep kmsg", allowed=(1,)).stdout == ""
    machine.run("kmsg-exporter cleanup")


@pytest.mark.parametrize(
    "command",
    [
        "kmsg-exporter run",
        "kmsg-exporter run --collector.embedded",
        "kmsg-exporter run --expected='origin=nightly-ci.sh' --expected='comm=dmesg,ancestor=/usr/sbin/cron'",
        REDACTED,
    ],
)
def test_the_agent_starts_as_the_pages_say(machine: Machine, tmp_path: Path, command: str) -> None:
    process = machine.start(f"exec {command}", tmp_path / "output")
    eventually(lambda: get(READY) or process.poll() is not None, "the agent is ready")
    assert interrupt(process) == 0, (tmp_path / "output").read_text()


def test_the_collector_starts_alone(machine: Machine, tmp_path: Path) -> None:
    process = machine.start("exec kmsg-exporter collector", tmp_path / "output")
    eventually(lambda: get("http://localhost:4318/-/ready") or process.poll() is not None, "the collector is ready")
    assert interrupt(process) == 0, (tmp_path / "output").read_text()
