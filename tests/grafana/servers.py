"""Servers for the tests: a program that runs while a block does, and Debian's Prometheus with its answers."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

WAIT_SECONDS = 60.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Prometheus:
    """A server and its answers."""

    url: str

    def api(self, path: str, **parameters: str) -> Any:
        """The data of one answer. Raises AssertionError with Prometheus' own words when it refuses."""
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            return json.loads(get(url))["data"]
        except urllib.error.HTTPError as exc:
            raise AssertionError(f"{parameters}: {exc.read().decode()}") from exc

    def query(self, promql: str, at: float) -> list[dict[str, Any]]:
        """An instant query's series."""
        result: list[dict[str, Any]] = self.api("query", query=promql, time=str(at))["result"]
        return result

    def query_range(self, promql: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """A range query's series."""
        times = {"start": str(start), "end": str(end), "step": str(step)}
        result: list[dict[str, Any]] = self.api("query_range", query=promql, **times)["result"]
        return result

    def label_values(self, label: str, selector: str, start: float, end: float) -> list[str]:
        """A label's values in the series that are selected."""
        parameters = {"match[]": selector, "start": str(start), "end": str(end)}
        values: list[str] = self.api(f"label/{label}/values", **parameters)
        return values


def get(url: str, headers: Mapping[str, str] | None = None) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by the machine's proxy
    with opener.open(urllib.request.Request(url, headers=dict(headers or {})), timeout=30) as response:
        text: str = response.read().decode()
        return text


def wait_until(answer: Callable[[], T], what: str) -> T:
    """The first answer that is not false or empty."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := answer()):
        assert time.monotonic() < deadline, f"not within {WAIT_SECONDS:g} s: {what}"
        time.sleep(POLL_SECONDS)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(arguments: Sequence[str], ready_url: str, log: Path) -> Iterator[None]:
    """The program from when it is ready until the block ends; what it prints goes to `log`."""

    def ready() -> bool:
        assert process.poll() is None, f"{arguments} ended with status {process.returncode}:\n{log.read_text()}"
        with suppress(OSError):
            get(ready_url)
            return True
        return False

    with log.open("wb") as output, subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            wait_until(ready, f"{ready_url} answers")
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def prometheus(directory: Path, name: str, scrape_configs: str) -> Iterator[Prometheus]:
    """A server with this configuration; its data is in the directory `name`, which may hold some already."""
    config = directory / f"{name}.yml"
    config.write_text(scrape_configs)
    server = Prometheus(f"http://127.0.0.1:{(port := free_port())}")
    program = shutil.which("prometheus")
    assert program, "prometheus is not installed: run tests/grafana/setup.sh"
    arguments = [program, f"--config.file={config}", f"--storage.tsdb.path={directory / name}"]
    arguments += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y"]
    with running(arguments, f"{server.url}/-/ready", directory / f"{name}.log"):
        yield server
