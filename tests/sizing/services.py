"""The real agent and the real collector as processes, on ports and in directories of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import Final

_WAIT_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.05
_STOP_SECONDS: Final = 10.0


class SizingError(Exception):
    """The figures can't be taken: what is in the way, and what to do."""


@contextmanager
def agent(directory: Path) -> Iterator[int]:
    """An agent that pushes to a collector in its own process; yields the port of its metrics."""
    if os.geteuid() != 0:
        raise SizingError("the agent at rest is a real one, and it traces the kernel: run this as root")
    web, collector = _free_port(), _free_port()
    flags = ["--web.listen-address", f"127.0.0.1:{web}", "--collector.embedded"]
    flags += ["--collector.listen-address", f"127.0.0.1:{collector}"]
    flags += ["--state-directory", str(directory / "state"), "--runtime-directory", str(directory / "run")]
    with _running(["run", *flags], directory / "agent.log", web):
        yield web


@contextmanager
def collector(directory: Path) -> Iterator[int]:
    """The collector that comes with the project; yields its port."""
    port = _free_port()
    flags = ["--collector.listen-address", f"127.0.0.1:{port}", "--collector.directory", str(directory / "collector")]
    with _running(["collector", *flags], directory / "collector.log", port):
        yield port


def metrics(port: int) -> dict[str, float]:
    """Every series that the agent at `port` shows a person."""
    lines = _get(port, "/metrics").decode().splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def until(done: Callable[[], bool], what: str) -> None:
    """Ask again and again until `done` says so. Raises SizingError when that takes too long."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise SizingError(f"waited {_WAIT_SECONDS:g} s in vain for {what}")
        time.sleep(_POLL_SECONDS)


@contextmanager
def _running(command: list[str], log: Path, port: int) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "kmsg-exporter", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )

    def ready() -> bool:
        if process.poll() is not None:
            raise SizingError(f"kmsg-exporter {command[0]} ended: {log.read_text(errors='replace').strip()}")
        try:
            return bool(_get(port, "/-/ready"))
        except OSError:
            return False

    try:
        until(ready, f"kmsg-exporter {command[0]} to be ready")
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=_WAIT_SECONDS) as answer:
        body: bytes = answer.read()
        return body


def _free_port() -> int:
    with create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
