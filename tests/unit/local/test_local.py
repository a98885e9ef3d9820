"""The agent's local socket, asked for real."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmsg_exporter.errors import AlreadyRunning, KmsgExporterError, SpoolError
from kmsg_exporter.local import AgentNotReachedError, LocalServer, ask


def _refuse(_: Mapping[str, Any]) -> Any:
    raise SpoolError("the history can't be read: disk I/O error")


ANSWERS = {
    "status": lambda _: {"backend": "kprobe"},
    "echo": lambda params: params,
    "refuse": _refuse,
    "broken": lambda _: 1 // 0,
    "no-json": lambda _: object(),
    "huge": lambda _: "x" * (5 << 20),
    "big": lambda _: "x" * (1 << 20),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "agent.sock"


@pytest.fixture
def agent(path: Path) -> Iterator[LocalServer]:
    with LocalServer(path, ANSWERS, client_seconds=30) as server:  # a busy machine is not a slow client
        yield server


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(str(path))
    return client


def raw(path: Path, request: bytes) -> bytes:
    with connected(path) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while not answer.endswith(b"\n") and (chunk := client.recv(65536)):
            answer += chunk
        return answer


def kill_an_agent_at(path: Path) -> None:
    """Leaves what an agent that was killed leaves."""
    code = "import os, sys, socket; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); os._exit(9)"
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.is_socket()


@pytest.mark.usefixtures("agent")
def test_a_question_is_answered(path: Path) -> None:
    assert ask(path, "status") == {"backend": "kprobe"}
    assert ask(path, "echo", since=3, names=["a", "\udcff"]) == {"since": 3, "names": ["a", "\udcff"]}
    assert len(ask(path, "big")) == 1 << 20


@pytest.mark.usefixtures("agent")
def test_a_request_and_its_answer_are_one_line_each(path: Path) -> None:
    assert raw(path, b'{"get": "status"}\n') == b'{"ok": {"backend": "kprobe"}}\n'


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("refuse", "the history can't be read: disk I/O error"),
        ("broken", "the agent could not answer 'broken': ZeroDivisionError; its log says more"),
        ("no-json", "the agent could not answer 'no-json': TypeError; its log says more"),
        ("huge", "the answer is 5242891 bytes, more than 4194304: ask for less"),
        (
            "zzz",
            "no such question: 'zzz'; this agent answers: big, broken, echo, huge, no-json, refuse, status",
        ),
    ],
)
def test_a_refusal_reaches_the_one_who_asked_and_the_agent_goes_on(path: Path, question: str, text: str) -> None:
    with pytest.raises(KmsgExporterError) as caught:
        ask(path, question)
    assert str(caught.value) == text
    assert ask(path, "status") == {"backend": "kprobe"}


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (b"", "not a line of JSON"),
        (b"\n", "not a line of JSON"),
        (b"\xff\n", "not a line of JSON"),
        (b"[" * 4000 + b"\n", "not a line of JSON"),
        (b"[]\n", "not a JSON object"),
        (b"{}\n", "no such question: None"),
        (b'{"get": ["status"]}\n', "no such question: ['status']"),
        (b" " * 5000 + b"\n", "a line longer than 4096 bytes"),
    ],
)
def test_a_request_of_another_shape_is_an_error_for_the_client(path: Path, request_: bytes, error: str) -> None:
    assert json.loads(raw(path, request_))["error"].startswith(error)


@pytest.mark.usefixtures("agent")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(request=st.binary(max_size=200))
def test_any_bytes_are_answered(path: Path, request: bytes) -> None:
    assert set(json.loads(raw(path, request))) == {"error"}


@pytest.mark.usefixtures("agent")
def test_the_socket_and_its_directory_are_for_the_agents_user_only(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["agent.sock"]


def test_the_mode_does_not_depend_on_the_umask(path: Path) -> None:
    umask = os.umask(0)
    try:
        with LocalServer(path, ANSWERS):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(umask)


def test_stop_takes_the_socket_away_and_it_can_be_started_again(path: Path) -> None:
    server = LocalServer(path, ANSWERS)
    for _ in range(2):
        server.start()
        assert ask(path, "status") == {"backend": "kprobe"}
        server.stop()
        assert list(path.parent.iterdir()) == []
    server.stop()


@pytest.mark.usefixtures("agent")
def test_a_living_agents_socket_is_never_taken(path: Path) -> None:
    with pytest.raises(AlreadyRunning, match="another agent listens at"):
        LocalServer(path, {}).start()
    assert ask(path, "status") == {"backend": "kprobe"}


def test_a_living_agent_that_has_no_time_keeps_its_socket(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        with connected(path), pytest.raises(AlreadyRunning):
            LocalServer(path, {}).start()


def test_a_dead_agents_socket_is_replaced(path: Path) -> None:
    kill_an_agent_at(path)
    with LocalServer(path, ANSWERS):
        assert ask(path, "status") == {"backend": "kprobe"}


def test_what_an_agent_left_that_was_killed_while_it_started_is_no_hindrance(path: Path) -> None:
    kill_an_agent_at(path.parent / ".new" / "socket")
    with LocalServer(path, ANSWERS):
        assert [entry.name for entry in path.parent.iterdir()] == ["agent.sock"]


def test_of_many_that_start_at_once_one_wins(path: Path) -> None:
    outcomes: list[LocalServer | None] = []

    def start() -> None:
        server = LocalServer(path, ANSWERS)
        try:
            server.start()
        except AlreadyRunning:
            outcomes.append(None)
        else:
            outcomes.append(server)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if outcome]
    assert len(winners) == 1
    assert ask(path, "status") == {"backend": "kprobe"}
    winners[0].stop()


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("mine")
    with pytest.raises(KmsgExporterError, match="is there and is no socket"):
        LocalServer(path, {}).start()
    assert path.read_text() == "mine"


def test_stop_leaves_a_socket_that_took_its_place(path: Path) -> None:
    server = LocalServer(path, ANSWERS)
    server.start()
    path.unlink()
    with LocalServer(path, ANSWERS):
        server.stop()
        assert ask(path, "status") == {"backend": "kprobe"}


def test_a_path_that_is_too_long_for_a_socket_says_so(tmp_path: Path) -> None:
    with pytest.raises(KmsgExporterError, match="can't be made: AF_UNIX path too long"):
        LocalServer(tmp_path / ("x" * 120) / "agent.sock", {}).start()


def test_clients_that_say_nothing_or_take_nothing_do_not_keep_others_from_an_answer(path: Path) -> None:
    with LocalServer(path, ANSWERS), connected(path), connected(path) as deaf:
        deaf.sendall(b'{"get": "big"}\n')
        assert ask(path, "status", timeout_seconds=60) == {"backend": "kprobe"}


def test_stop_does_not_wait_for_a_client_for_ever(path: Path) -> None:
    with LocalServer(path, ANSWERS):
        client = connected(path)
    with client:
        assert not path.exists()


def test_without_an_agent_the_error_says_what_to_do(path: Path) -> None:
    expected = (
        f"no agent is running on this node: nobody listens at {path}; start it (kmsg-exporter run, or systemctl start "
        "kmsg-exporter) or name its --runtime-directory"
    )
    with pytest.raises(AgentNotReachedError) as caught:
        ask(path, "status")
    assert str(caught.value) == expected
    kill_an_agent_at(path)
    with pytest.raises(AgentNotReachedError) as caught:
        ask(path, "status")
    assert str(caught.value) == expected


@pytest.mark.parametrize("answer", [b"", b"{", b"[]\n"])
def test_an_agent_that_answers_nonsense_is_an_error(path: Path, answer: bytes) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(4096)
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(AgentNotReachedError, match="does not answer: not a"):
            ask(path, "status")
        thread.join()


def test_an_agent_that_never_answers_is_an_error(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(AgentNotReachedError, match="does not answer: timed out"):
            ask(path, "status", timeout_seconds=0.05)
