"""kill -9 between any two steps: every emptying is at the collector, once by uid, with no gap in the sequence."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kmsg_exporter.push.spool import Spool

AGENT = Path(__file__).with_name("killed_agent.py")
ROUNDS = 20
EMPTYINGS_A_ROUND = 25


class Store(ThreadingHTTPServer):
    """A collector that keeps all it ever got, repetitions too."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.records: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Store

    def do_POST(self) -> None:
        body = json.loads(gzip.decompress(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.records += body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def handle(self) -> None:
        try:
            super().handle()
        except (OSError, ValueError, EOFError):  # the agent was killed while it spoke
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_kill_between_any_two_steps_costs_and_repeats_nothing(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    url = f"http://127.0.0.1:{store.server_address[1]}/v1/logs"
    total = ROUNDS * EMPTYINGS_A_ROUND
    killed = 0
    for emptyings in (*range(EMPTYINGS_A_ROUND, total, EMPTYINGS_A_ROUND), total):
        command = [sys.executable, str(AGENT), str(tmp_path), url, str(emptyings)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as agent:
            assert agent.stdout is not None
            for _ in range(random.randrange(1, EMPTYINGS_A_ROUND)):
                assert agent.stdout.readline() == b"emptied\n"
            time.sleep(random.uniform(0, 0.002))  # to any of the steps that follow
            agent.kill()
        killed += agent.returncode == -9
    subprocess.run([sys.executable, AGENT, tmp_path, url, str(total)], check=True, timeout=60, capture_output=True)

    with closing(Spool(tmp_path / "spool.db")) as spool:
        history = spool.history(10 * total)
        assert spool.state.queue_events == 0
    stored = {event.uid: event.sequence for event in history}
    arrived = {record["uid"]: record["sequence"] for record in store.records}
    assert killed > ROUNDS // 2
    assert arrived == stored
    assert sorted(arrived.values()) == list(range(1, total + 1))
    assert {record["sequence"]: record["visible_from"] for record in store.records} == {
        number: number for number in range(1, total + 1)
    }
