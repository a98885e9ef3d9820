"""The collector started and stopped."""

from __future__ import annotations

import http.client
import logging
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kmsg_exporter.collector.server import CollectorServer, _listen
from kmsg_exporter.errors import CollectorError, StoreTooNew


def test_port_0_lets_the_kernel_choose(server: CollectorServer, client: Any) -> None:
    assert server.port != 0
    assert server.url == f"http://127.0.0.1:{server.port}/"
    assert client.get("/-/ready").status == 200


def test_an_address_in_use_is_named(server: CollectorServer, tmp_path: Path) -> None:
    with pytest.raises(CollectorError) as raised:
        CollectorServer("127.0.0.1", server.port, tmp_path / "other").start()
    assert str(raised.value) == (
        f"the collector can't listen on 127.0.0.1:{server.port}: Address already in use: "
        "another collector may have it, stop that one or choose another address"
    )
    assert not (tmp_path / "other").exists()


def test_a_name_that_does_not_resolve_is_named(tmp_path: Path) -> None:
    with pytest.raises(CollectorError, match=r"^the collector can't listen on a name with blanks:4318: \w"):
        CollectorServer("a name with blanks", 4318, tmp_path).start()


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    with pytest.raises(CollectorError) as raised:
        CollectorServer("192.0.2.1", 4318, tmp_path).start()
    assert str(raised.value) == "the collector can't listen on 192.0.2.1:4318: Cannot assign requested address"


def test_a_newer_store_is_refused_and_the_address_is_free_again(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "events.sqlite3")) as connection:
        connection.execute("PRAGMA user_version = 4")
    collector = CollectorServer("127.0.0.1", 0, tmp_path)
    with pytest.raises(StoreTooNew):
        collector.start()
    assert not collector.running


def test_events_survive_a_restart_on_the_same_address(tmp_path: Path, record: Any, body: Any) -> None:
    port = 0
    for uid in ("a", "b"):
        with CollectorServer("127.0.0.1", port, tmp_path) as collector:
            port = collector.port
            assert post(port, body(record(uid))) == 200
    assert stored_uids(tmp_path) == ["a", "b"]


def test_stopping_closes_the_address_and_may_be_asked_twice(tmp_path: Path) -> None:
    collector = CollectorServer("127.0.0.1", 0, tmp_path)
    collector.start()
    collector.stop()
    collector.stop()
    assert not collector.running
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", collector.port), timeout=10)


def test_stopping_tells_a_slow_sender_to_come_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    collector = CollectorServer("127.0.0.1", 0, tmp_path)
    collector.start()
    with closing(http.client.HTTPConnection("127.0.0.1", collector.port, timeout=10)) as slow:
        slow.putrequest("POST", "/v1/logs")
        slow.putheader("Content-Type", "application/json")
        slow.putheader("Content-Length", "100")
        slow.putheader("Expect", "100-continue")
        slow.endheaders()
        assert slow.sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"[:25]  # it waits for the body
        slow.send(b"{")
        collector.stop()
        answer = slow.getresponse()
        assert answer.status == 503
        assert answer.read() == b'{"code":14,"message":"the collector is stopping"}'
    assert caplog.records == []


def test_stopping_does_not_wait_for_idle_connections(tmp_path: Path) -> None:
    collector = CollectorServer("127.0.0.1", 0, tmp_path)
    collector.start()
    with (
        socket.create_connection(("127.0.0.1", collector.port), timeout=10),
        closing(http.client.HTTPConnection("127.0.0.1", collector.port, timeout=10)) as kept_alive,
    ):
        kept_alive.request("GET", "/-/healthy")
        kept_alive.getresponse().read()
        collector.stop()
    assert not collector.running


def test_it_runs_beside_others_without_touching_signals_or_logging(tmp_path: Path) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    root_handlers = list(logging.getLogger().handlers)

    def run() -> None:
        with CollectorServer("127.0.0.1", 0, tmp_path) as collector:
            assert collector.running

    outer = threading.Thread(target=run)
    outer.start()
    outer.join()
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    assert logging.getLogger().handlers == root_handlers
    assert logging.getLogger("uvicorn").handlers == []


def test_requests_are_not_logged(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.get("/")
    assert [entry.getMessage() for entry in caplog.records if entry.name.startswith("uvicorn")] == []


PROGRAM = """
import sys
from pathlib import Path
from kmsg_exporter.collector.server import CollectorServer, serve_until_signal
server = CollectorServer("127.0.0.1", 0, Path(sys.argv[1]))
serve_until_signal(server, on_started=lambda: print(server.port, flush=True))
print("stopped")
"""


@contextmanager
def collector_process(data_dir: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The collector as a process of its own, and its port."""
    command = [sys.executable, "-c", PROGRAM, str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def post(port: int, sent: bytes) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("POST", "/v1/logs", sent, {"Content-Type": "application/json"})
        return connection.getresponse().status


def stored_uids(data_dir: Path) -> list[str]:
    with closing(sqlite3.connect(data_dir / "events.sqlite3")) as stored:
        return [uid for (uid,) in stored.execute("SELECT uid FROM event ORDER BY uid")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_everything_committed(
    tmp_path: Path, number: signal.Signals, record: Any, body: Any
) -> None:
    with collector_process(tmp_path) as (process, port):
        assert post(port, body(record("a"))) == 200
        process.send_signal(number)
        assert process.communicate(timeout=20) == ("stopped\n", "")
    assert process.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["events.sqlite3"]  # the write-ahead log was folded in
    assert stored_uids(tmp_path) == ["a"]


def test_what_was_answered_survives_kill_9(tmp_path: Path, record: Any, body: Any) -> None:
    with collector_process(tmp_path) as (process, port):
        assert post(port, body(record("a"), record("b"))) == 200
        process.kill()
        process.wait(timeout=20)
    assert stored_uids(tmp_path) == ["a", "b"]


def test_what_is_accepted_sends_each_part_of_an_answer_at_once() -> None:
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
