"""Debian's Prometheus and Alertmanager, with the project's files; only times and addresses are the test's own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")

FILES = Path(__file__).parents[2] / "deploy" / "prometheus"
SCRAPE_SECONDS, EVALUATE_SECONDS, GROUP_WAIT_SECONDS = 2, 2, 1
WAIT_SECONDS = 180.0


def wait_until(answer: Callable[[], T], what: str) -> T:
    """The first answer that is not false or empty. Raises AssertionError."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := answer()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {WAIT_SECONDS:g} s: {what}")
        time.sleep(0.1)
    return found


def get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by the machine's proxy
    with opener.open(url, timeout=10) as response:
        text: str = response.read().decode()
        return text


def answers(url: str) -> bool:
    with suppress(OSError):
        get(url)
        return True
    return False


def query(prometheus: str, promql: str) -> list[dict[str, Any]]:
    """The result of an instant query."""
    answer = json.loads(get(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"))
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def prometheus(directory: Path, *, metrics_port: int, alertmanager: str) -> Iterator[str]:
    """The URL of a Prometheus by `static.yaml` that scrapes one node, `node-1`."""
    config = yaml.safe_load((FILES / "static.yaml").read_text())
    config["global"] = {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{EVALUATE_SECONDS}s"}
    for name in config["rule_files"]:
        shutil.copy(FILES / name, directory)
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager.removeprefix("http://")]
    (job,) = config["scrape_configs"]
    job["static_configs"][0]["targets"] = [f"127.0.0.1:{metrics_port}"]
    job["relabel_configs"] += [  # the guest has no name on this machine
        {"target_label": "node", "replacement": "node-1"},
        {"target_label": "instance", "replacement": "node-1:10144"},
    ]
    (directory / "prometheus.yaml").write_text(yaml.safe_dump(config))
    arguments = ["prometheus", "--config.file=prometheus.yaml", "--storage.tsdb.path=tsdb"]
    with _running(arguments, directory, "prometheus.log") as url:
        yield url


@contextmanager
def alertmanager(directory: Path, *, webhook_port: int) -> Iterator[str]:
    """The URL of an Alertmanager by `alertmanager-example.yaml` that notifies us."""
    text = (FILES / "alertmanager-example.yaml").read_text().replace("localhost:8080", f"127.0.0.1:{webhook_port}")
    config = yaml.safe_load(text)
    config["route"]["group_wait"] = f"{GROUP_WAIT_SECONDS}s"
    (directory / "alertmanager.yaml").write_text(yaml.safe_dump(config))
    arguments = ["prometheus-alertmanager", "--config.file=alertmanager.yaml", "--storage.path=alertmanager"]
    with _running([*arguments, "--cluster.listen-address="], directory, "alertmanager.log") as url:
        yield url


@contextmanager
def _running(arguments: list[str], directory: Path, log: str) -> Iterator[str]:
    url = f"http://127.0.0.1:{free_port()}"
    arguments = [*arguments, f"--web.listen-address={url.removeprefix('http://')}"]
    with (
        (directory / log).open("wb") as output,
        subprocess.Popen(arguments, cwd=directory, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_until(lambda: process.poll() is not None or answers(f"{url}/-/ready"), f"{arguments[0]} is ready")
            assert process.poll() is None, (directory / log).read_text()
            yield url
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
