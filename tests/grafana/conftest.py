"""A small fleet that Prometheus has scraped: two real agents on this machine, a recorded one, and one that is down."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from board_file import Range
from replay import serving
from servers import Prometheus, free_port, prometheus, running, wait_until

SCRAPE_SECONDS = 1
SCRAPES = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: kmsg-exporter
    static_configs:
      - {{targets: ["127.0.0.1:{tracing}"], labels: {{cluster: prod, node: tracing}}}}
      - {{targets: ["127.0.0.1:{blind}"], labels: {{cluster: prod, node: blind}}}}
      - {{targets: ["127.0.0.1:{recorded}"], labels: {{cluster: prod, node: recorded}}}}
      - {{targets: ["127.0.0.1:{down}"], labels: {{cluster: prod, node: down}}}}
"""
PLAIN = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: kmsg-exporter
    static_configs: [{{targets: ["127.0.0.1:{tracing}"]}}]
"""


@dataclass(frozen=True)
class Fleet:
    """What the tests look at: both servers and the time in which everything happened."""

    server: Prometheus
    plain: Prometheus
    plain_instance: str
    look: Range


@contextmanager
def agent(directory: Path, port: int, *flags: str) -> Iterator[None]:
    """A real agent that watches this machine's log."""
    directory.mkdir()
    arguments = [sys.executable, "-m", "kmsg_exporter", "run", f"--web.listen-address=127.0.0.1:{port}"]
    arguments += [f"--state-directory={directory / 'state'}", f"--runtime-directory={directory / 'run'}"]
    arguments += ["--readers.scan-interval-seconds=1", *flags]
    with running(arguments, f"http://127.0.0.1:{port}/-/ready", directory / "agent.log"):
        yield


def script(directory: Path, name: str, text: str) -> None:
    """Run some shell as a script of that name."""
    path = directory / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    subprocess.run([path], check=True, stdout=subprocess.DEVNULL, timeout=20)


def use_the_log(directory: Path) -> None:
    """What happens on this machine: lines, reads, two scripts that clear, one clear that is refused."""
    for name in ("cleanup.sh", "nightly-ci.sh", "cleanup.sh"):
        Path("/dev/kmsg").write_bytes(b"a line for the clear to hide\n")
        script(directory, name, "dmesg -S\ndmesg -C")
    refused = "import ctypes, os; os.setuid(65534); ctypes.CDLL(None).klogctl(5, None, 0)"
    subprocess.run([sys.executable, "-c", refused], check=True, timeout=20)


@contextmanager
def reader() -> Iterator[None]:
    """A process that holds /dev/kmsg open."""
    with subprocess.Popen(["dmesg", "--follow"], stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    assert os.geteuid() == 0, "the agents need root to watch the kernel log: run this as root"
    home = tmp_path_factory.mktemp("fleet")
    ports = {name: free_port() for name in ("tracing", "blind", "recorded", "down")}
    start = time.time()
    with ExitStack() as stack:
        embedded = ["--collector.embedded", f"--collector.listen-address=127.0.0.1:{free_port()}"]
        stack.enter_context(agent(home / "one", ports["tracing"], "--expected=origin=nightly-ci.sh", *embedded))
        stack.enter_context(agent(home / "two", ports["blind"], "--backend=state", f"--path.tracefs={home / 'none'}"))
        replay = stack.enter_context(serving(ports["recorded"]))
        server = stack.enter_context(prometheus(home, "data", SCRAPES.format(**ports)))
        plain = stack.enter_context(prometheus(home, "plain", PLAIN.format(**ports)))
        for each in (server, plain):
            wait_for(each, "count_over_time(kmsg_empty[1m]) > 1")
        stack.enter_context(reader())
        use_the_log(home)
        for seen in (
            'kmsg_clears_by_origin_total{node="tracing",expected="false"} == 2',
            'kmsg_clears_by_origin_total{node="tracing",expected="true"} == 1',
            'kmsg_clears_denied_total{node="tracing"} == 1',
            'kmsg_readers{node="tracing"} > 0',
            'kmsg_unattributed_clears_total{node="blind"} > 0',
            'kmsg_exporter_push_last_success_timestamp_seconds{node="tracing"} > 0',
        ):
            wait_for(server, seen)
        wait_until(lambda: replay.over, "the recorded scrapes are over")
        wait_for(server, 'kmsg_readers{node="recorded",comm="tail"} == 2')
        wait_for(plain, "kmsg_emptied_total > 0")
        instance = f"127.0.0.1:{ports['tracing']}"
        yield Fleet(server, plain, instance, Range(start, time.time(), SCRAPE_SECONDS))


def wait_for(server: Prometheus, promql: str) -> None:
    """Return when the query has an answer."""
    wait_until(lambda: server.query(promql, time.time()), promql)
