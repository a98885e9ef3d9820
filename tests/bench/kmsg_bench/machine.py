"""The machine that the figures are taken on: that it is free, what is set for the time, and what it is."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from kmsg_bench.child import BenchError
from kmsg_exporter.errors import AlreadyRunning
from kmsg_exporter.tracefs.lock import hold

# also what is imported late
_MODULES = (
    "kmsg_exporter.cli",
    "kmsg_exporter.agent.agent",
    "kmsg_exporter.collector.server",
    "requests",
    "tenacity",
)
LINE = b"<7>kmsg-exporter bench: a line to clear\n"


def require_free(tracefs: Path, proc: Path) -> None:
    """Raises BenchError for anybody but root, while another agent runs, and when a killed one left something."""
    if os.geteuid() != 0:
        raise BenchError("the bench traces the kernel and clears its log: run it as root")
    try:
        os.close(hold(tracefs, proc=proc))
    except OSError as exc:
        raise BenchError(f"no tracefs at {tracefs} ({exc.strerror}): mount -t tracefs nodev {tracefs}") from exc
    except AlreadyRunning as exc:
        raise BenchError(str(exc)) from exc
    left = sorted(path.name for path in (tracefs / "instances").glob("kmsg_exporter*"))
    if left:
        raise BenchError(f"a killed agent left {', '.join(left)} in tracefs: run kmsg-exporter cleanup first")


@contextmanager
def unlimited_log(proc: Path) -> Iterator[None]:
    """Lift the rate limit on lines that are written to /dev/kmsg: each clear needs one to hide."""
    path = proc / "sys" / "kernel" / "printk_devkmsg"
    before = path.read_text()
    path.write_text("on\n")
    try:
        yield
    finally:
        path.write_text(before)


def byte_compile(directory: Path, environ: MutableMapping[str, str] = os.environ) -> None:
    """Have every later Python find its modules byte-compiled below `directory`, as they are where pip has put them."""
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    environ["PYTHONPYCACHEPREFIX"] = str(directory)
    subprocess.run([sys.executable, "-c", f"import {', '.join(_MODULES)}"], check=True)


def facts(proc: Path) -> str:
    """One line: kernel, cores, Python, and how busy it was."""
    kernel = ".".join(platform.release().split(".")[:2])
    load = (proc / "loadavg").read_text().split()[0]
    return (
        f"Linux {kernel}, {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; load average before the run {load}"
    )


def write_line(dev: Path) -> None:
    """One line into the kernel log; it goes to no console."""
    fd = os.open(dev / "kmsg", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, LINE)
    finally:
        os.close(fd)
