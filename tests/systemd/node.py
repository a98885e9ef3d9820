"""What the tests in a guest under systemd share: units, the journal, metrics, what is in tracefs."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")

SRV = Path("/srv")
PACKAGE = SRV / "kmsg-exporter.deb"
AGENT, COLLECTOR = "kmsg-exporter.service", "kmsg-collector.service"
TRACEFS = Path("/sys/kernel/tracing")
DEADLINE_SECONDS = 180.0  # an emulated machine is slow: this only bounds a failure


def eventually(ask: Callable[[], T | Literal[False] | None], *, why: str = "") -> T:
    """What `ask` returns as soon as that is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true: {why or ask}\n{journal(AGENT)[-3000:]}")
        time.sleep(0.1)


def run(*command: str | Path, check: bool = True) -> str:
    """What a command prints, on both streams."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0 or not check, f"{command} ended with {done.returncode}: {done.stdout}"
    return done.stdout


def show(unit: str, name: str) -> str:
    """A property of a unit, as systemd has it now."""
    return run("systemctl", "show", "--value", "--property", name, unit).strip()


def state(unit: str) -> str:
    """`enabled active`, and the like."""
    return " ".join(run("systemctl", asked, unit, check=False).strip() for asked in ("is-enabled", "is-active"))


def journal(unit: str) -> str:
    """What a unit and systemd about it have said, without times."""
    return run("journalctl", "--quiet", "--no-pager", "--output=cat", f"--unit={unit}")


def get(path: str, *, port: int = 10144) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def metric(name: str) -> str | None:
    """The value of one series of /metrics, as it is written there."""
    return next((line.rsplit(" ", 1)[1] for line in get("/metrics").splitlines() if line.startswith(f"{name} ")), None)


def events() -> list[dict[str, Any]]:
    """What the collector has, newest first."""
    found: list[dict[str, Any]] = json.loads(get("/api/events", port=4318))["events"]
    return found


def empty_the_log(line: str) -> None:
    """Have something in the kernel's log, then clear it as people do."""
    with Path("/dev/kmsg").open("w") as file:
        file.write(f"{line}\n")
    run("dmesg", "-C")


def in_tracefs() -> dict[str, str]:
    """What others could find of us in tracefs: instances, probes, events switched on."""
    names = ("kprobe_events", "dynamic_events", "set_event", "current_tracer", "set_ftrace_filter", "tracing_on")
    found = {name: (TRACEFS / name).read_text() for name in names}
    return found | {"instances": " ".join(sorted(path.name for path in (TRACEFS / "instances").iterdir()))}
