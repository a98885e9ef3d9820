"""What doctor says about the way to the collector: asked of a running agent, else tried."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kmsg_exporter.commands import delivery
from kmsg_exporter.commands.check import Check
from kmsg_exporter.config import Config
from kmsg_exporter.errors import NotPermitted
from kmsg_exporter.local import LocalServer


class Taking(BaseHTTPRequestHandler):
    """Answers 200 to a request with the token, 401 to others."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200 if self.headers.get("Authorization") == "Bearer sesame" else 401)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def config(tmp_path: Path, **options: Any) -> Config:
    return Config(runtime_directory=tmp_path / "run", state_directory=tmp_path / "state", **options)


@contextmanager
def running(tmp_path: Path, **status: Any) -> Iterator[None]:
    """An agent that runs and answers so."""
    push: dict[str, Any] = {"queue_events": 0, "last_success_timestamp_seconds": None, "dropped_total": {}}
    answer: Mapping[str, Any] = {
        "push": push | status.pop("push", {}),
        "push_to": "https://otel:4318/v1/logs",
        "push_failing": (),
        "spool_durable": True,
        "state_directory": "/var/lib/kmsg-exporter",
        **status,
    }
    with LocalServer(tmp_path / "run" / "agent.sock", {"status": lambda _: answer}, client_seconds=30):
        yield


def test_without_an_endpoint_events_stay_here(tmp_path: Path) -> None:
    [found] = delivery.checks(config(tmp_path), {})
    assert (found.verdict, found.found) == ("note", "no collector is named: events stay on this node")


def test_an_agent_of_another_user_may_send_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    def refused(*_: object) -> None:
        raise NotPermitted("another user's")

    monkeypatch.setattr(delivery, "ask", refused)
    assert delivery.checks(config(tmp_path), {}) == [
        Check("push", "note", "whether an agent sends events can't be seen as this user", "try again as root")
    ]
    [tried] = delivery.checks(config(tmp_path, push_endpoint=address), {})
    assert "HTTP status 401" in tried.found


def test_collector_that_answers_is_said_to(tmp_path: Path, address: str) -> None:
    (tmp_path / "token").write_text("sesame\n")
    given = config(tmp_path, push_endpoint=address, push_bearer_token_file=tmp_path / "token")
    assert delivery.checks(given, {}) == [Check("push", "ok", f"the collector at {address}/v1/logs answers")]


def test_collector_that_wants_other_credentials_is_named_with_the_remedy(tmp_path: Path, address: str) -> None:
    [found] = delivery.checks(config(tmp_path), {"OTEL_EXPORTER_OTLP_ENDPOINT": address})
    assert found.verdict == "missing"
    assert found.found.startswith(f"cannot push to {address}/v1/logs: HTTP status 401; check the credentials in ")


def test_nobody_there_is_named_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        [found] = delivery.checks(config(tmp_path, push_endpoint=url), {})
    assert found.verdict == "missing"
    assert "refused; nothing listens there" in found.found


def test_file_of_secrets_that_is_not_there_is_named(tmp_path: Path, address: str) -> None:
    given = config(tmp_path, push_endpoint=address, push_headers_file=tmp_path / "none")
    [found] = delivery.checks(given, {})
    assert found.verdict == "missing"
    assert str(tmp_path / "none") in found.found


def test_wrong_variable_is_named(tmp_path: Path) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    [found] = delivery.checks(config(tmp_path), environ)
    assert found.verdict == "missing"
    assert found.found.startswith("OTEL_EXPORTER_OTLP_PROTOCOL=grpc: this agent speaks http/json only")


def test_running_agent_is_asked_instead(tmp_path: Path) -> None:
    with running(tmp_path, push={"queue_events": 3, "last_success_timestamp_seconds": 1_700_000_000.5}):
        assert delivery.checks(config(tmp_path, push_endpoint="http://wrong"), {}) == [
            Check("push", "ok", "to https://otel:4318/v1/logs; 3 events wait, the last was taken 2023-11-14T22:13:20Z")
        ]


def test_running_agent_whose_push_fails_says_why(tmp_path: Path) -> None:
    with running(tmp_path, push={"queue_events": 7}, push_failing=("http_403", "timeout")):
        [found] = delivery.checks(config(tmp_path), {})
    assert found.verdict == "missing"
    assert found.found == "to https://otel:4318/v1/logs fails: http_403, timeout; 7 events wait, none was taken yet"


def test_what_was_lost_and_what_is_in_memory_only_is_said(tmp_path: Path) -> None:
    with running(tmp_path, push={"dropped_total": {"spool_full": 4, "spool_corrupt": 0}}, spool_durable=False):
        _, lost, spool = delivery.checks(config(tmp_path), {})
    assert (lost.name, lost.found) == ("events lost", "since the agent began: 4 by spool_full")
    assert (spool.verdict, spool.remedy) == ("missing", "make room in /var/lib/kmsg-exporter, or make it writable")
