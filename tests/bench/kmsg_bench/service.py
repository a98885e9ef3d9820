"""Our own agent and collector as processes, in directories and on ports of their own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kmsg_bench.child import BenchError, Child
from kmsg_bench.http import KeepAlive

_READY_SECONDS = 60.0  # in a guest, on a busy machine
_POLL_SECONDS = 0.001
_PROFILED = Path(__file__).parents[1] / "profiled.py"


class Service(Child):
    """`kmsg-exporter COMMAND` that answers on `port`."""

    def __init__(self, command: list[str | Path], log: Path, *, port: int, profile: Path | None = None) -> None:
        program = (_PROFILED, profile) if profile else ("-m", "kmsg_exporter")
        super().__init__([sys.executable, *program, *command], log)
        self.port = port
        self.ready_seconds = 0.0

    def start(self) -> None:
        """Return once it is ready; `ready_seconds` tells how long that took. Raises BenchError when it ends first."""
        begun = time.perf_counter()
        super().start()
        try:
            self._until_ready()
        except BaseException:
            self.stop()
            raise
        self.ready_seconds = time.perf_counter() - begun

    def clean_up(self) -> None:
        subprocess.run([sys.executable, "-m", "kmsg_exporter", "cleanup"], check=True)

    def metric(self, series: str, *, comm: str = "") -> float:
        """The value of one series, or the sum of all series of a metric, or of those with `comm`; by a scrape."""
        with KeepAlive(self.port) as web:
            _, body = web.get("/metrics")
        samples = (line.rpartition(" ") for line in body.decode().splitlines())
        label = f'comm="{comm}"' if comm else ""
        return sum(
            float(value)
            for name, _, value in samples
            if name == series or (name.startswith(series + "{") and label in name)
        )

    def _until_ready(self) -> None:
        until(self._ready, "it to become ready", _READY_SECONDS)

    def _ready(self) -> bool:
        try:
            with KeepAlive(self.port) as web:
                return web.get("/-/ready")[0] == 200
        except OSError:
            self.require_alive()
            return False


def until(done: Callable[[], object], what: str, seconds: float, pause_seconds: float = _POLL_SECONDS) -> None:
    """Ask again and again until `done` says so. Raises BenchError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(pause_seconds)


def agent(directory: Path, *flags: str, push_to: int | None = None, profile: Path | None = None) -> Service:
    """An agent that pushes to the collector on the port `push_to`, not yet started; with `profile` it is slower."""
    port = _free_port()
    push: list[str | Path] = ["--push.endpoint", f"http://127.0.0.1:{push_to}"] if push_to else []
    command: list[str | Path] = ["run", "--web.listen-address", f"127.0.0.1:{port}", *push, *flags]
    command += ["--state-directory", directory / "state", "--runtime-directory", directory / "run"]
    return Service(command, directory / "agent.log", port=port, profile=profile)


def settle(directory: Path, *, push_to: int) -> None:
    """Let an agent send what happened to the log before there was one: the next agent here has nothing to tell."""
    with agent(directory, push_to=push_to) as first:
        until(lambda: first.metric("kmsg_exporter_push_queue_events") == 0, "the push", _READY_SECONDS, 0.05)


def collector(directory: Path) -> Service:
    """The collector that comes with the project, not yet started."""
    port = _free_port()
    command: list[str | Path] = ["collector", "--collector.listen-address", f"127.0.0.1:{port}"]
    command += ["--collector.directory", directory / "collector"]
    return Service(command, directory / "collector.log", port=port)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
