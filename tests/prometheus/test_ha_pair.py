"""Born at zero, held by two Prometheus servers that scrape one agent from one address: the first clear ever fires."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

WAIT_SECONDS = 60.0
POLL_SECONDS = 0.1
SERIES = 'kmsg_clears_total{comm="dmesg",action="clear"}'
CONFIG = """\
global:
  scrape_interval: {interval_seconds}s
  scrape_timeout: 1s
scrape_configs:
  - job_name: kmsg
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""


@dataclass(frozen=True)
class Server:
    """One Prometheus server of the pair."""

    name: str
    url: str

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        answer = json.loads(get(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"))
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def samples(self, selector: str) -> list[float]:
        """The raw samples of the one series that is selected, oldest first; none when there is no such series."""
        series = self.query(f"{selector}[5m]")
        assert len(series) <= 1, series
        return [float(value) for _, value in series[0]["values"]] if series else []


@dataclass(frozen=True)
class Pair:
    """Two servers that had scraped the agent before the first clear; the clears a person saw before and after it."""

    servers: tuple[Server, Server]
    metrics_url: str
    before: list[str]
    after: list[str]


def get(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never by the machine's proxy
    with opener.open(url, timeout=5) as response:
        text: str = response.read().decode()
        return text


def clears(page: str) -> list[str]:
    return [line for line in page.splitlines() if line.startswith("kmsg_clears_total{")]


def wait_until(answer: Callable[[], T], what: str) -> T:
    """The first answer that is not false or empty."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := answer()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {WAIT_SECONDS:g} s: {what}")
        time.sleep(POLL_SECONDS)
    return found


def wait_for_samples(server: Server, selector: str, newest: list[float]) -> None:
    wait_until(
        lambda: server.samples(selector)[-len(newest) :] == newest, f"{selector} of server {server.name} is {newest}"
    )


def answers(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        pytest.fail(f"{process.args!r} ended with status {process.returncode}:\n{log.read_text()}")
    with suppress(OSError):
        get(url)
        return True
    return False


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed: apt-get install prometheus")
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def running(arguments: list[str], ready_url: str, log: Path) -> Iterator[None]:
    """The program from when it is ready until the block ends; what it prints goes to `log`."""
    with log.open("wb") as output, subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            wait_until(lambda: answers(ready_url, process, log), f"{ready_url} answers")
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def agent(directory: Path, port: int) -> Iterator[str]:
    """An agent that looks at this machine, with the tracepoint backend; the URL of its metrics."""
    arguments = [sys.executable, "-m", "kmsg_exporter", "run", "--backend=tracepoint"]
    arguments += [f"--web.listen-address=127.0.0.1:{port}", f"--state-directory={directory / 'state'}"]
    arguments += [f"--runtime-directory={directory / 'run'}"]
    url = f"http://127.0.0.1:{port}"
    with running(arguments, f"{url}/-/ready", directory / "agent.log"):
        yield f"{url}/metrics"


@contextmanager
def prometheus(directory: Path, name: str, target_port: int, interval_seconds: int) -> Iterator[Server]:
    """A server of Debian's Prometheus that scrapes the agent and nothing else."""
    config = directory / f"{name}.yml"
    config.write_text(CONFIG.format(interval_seconds=interval_seconds, port=target_port))
    server = Server(name, f"http://127.0.0.1:{(port := free_port())}")
    arguments = [program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={directory / name}"]
    arguments += [f"--web.listen-address=127.0.0.1:{port}"]
    with running(arguments, f"{server.url}/-/ready", directory / f"{name}.log"):
        yield server


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Start all three, let both servers scrape twice, print a line and clear the log: this machine's own, once."""
    if os.geteuid() != 0:
        pytest.fail("the agent needs root to watch the kernel log: run this test as root")
    directory = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        metrics_url = stack.enter_context(agent(directory, port := free_port()))
        one = stack.enter_context(prometheus(directory, "one", port, 1))
        two = stack.enter_context(prometheus(directory, "two", port, 2))
        servers = (one, two)
        for server in servers:
            wait_for_samples(server, "up", [1, 1])
        before = clears(get(metrics_url))
        Path("/dev/kmsg").write_bytes(b"a line for the clear to hide\n")
        subprocess.run(["dmesg", "-C"], check=True, timeout=10)
        after = wait_until(lambda: clears(get(metrics_url)), "a person sees the clear")
        for server in servers:
            wait_for_samples(server, SERIES, [1])
        yield Pair(servers, metrics_url, before, after)


@pytest.fixture(params=[0, 1], ids=["one", "two"])
def server(pair: Pair, request: pytest.FixtureRequest) -> Server:
    index: int = request.param
    return pair.servers[index]


def test_rate_fires_for_the_first_clear_ever(server: Server) -> None:
    wait_until(
        lambda: [series["metric"]["comm"] for series in server.query("rate(kmsg_clears_total[1m]) > 0")] == ["dmesg"],
        "rate(kmsg_clears_total[1m]) > 0 is true",
    )


def test_the_first_clear_is_0_then_1_and_never_falls(server: Server) -> None:
    samples = server.samples(SERIES)
    assert samples[0] == 0
    assert samples[-1] == 1
    assert samples == sorted(samples)


def test_every_other_counter_of_the_clear_starts_at_0_too(server: Server) -> None:
    samples = server.samples('kmsg_clears_by_origin_total{comm="dmesg"}')
    assert samples[0] == 0
    assert samples[-1] == 1


def test_emptied_total_rises_by_1(server: Server) -> None:
    samples = server.samples("kmsg_emptied_total")
    assert samples[-1] - samples[0] == 1
    assert samples == sorted(samples)


def test_the_agent_is_up_in_every_scrape(server: Server) -> None:
    assert set(server.samples("up")) == {1}


def test_the_clear_is_the_first_of_the_agents_life(pair: Pair) -> None:
    assert pair.before == []


def test_a_person_sees_the_true_value_and_no_0_before_it(pair: Pair) -> None:
    assert pair.after == ['kmsg_clears_total{action="clear",comm="dmesg",exe="/usr/bin/dmesg"} 1.0']


def test_promtool_has_nothing_to_say(pair: Pair) -> None:
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=get(pair.metrics_url).encode(),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
