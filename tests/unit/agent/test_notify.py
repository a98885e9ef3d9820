"""What systemd is told, on a socket of the test's own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmsg_exporter.agent.notify import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(10)
        yield sock


def told(systemd: socket.socket) -> list[str]:
    """What waits on the socket."""
    systemd.setblocking(False)
    found = []
    try:
        while True:
            found.append(systemd.recv(4096).decode())
    except BlockingIOError:
        return found


def test_ready_carries_a_status_of_one_line(systemd: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": systemd.getsockname()}).ready("backend kprobe\nnot seen  nothing")
    assert told(systemd) == ["READY=1\nSTATUS=backend kprobe not seen nothing"]


def test_stopping_is_told(systemd: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": systemd.getsockname()}).stopping()
    assert told(systemd) == ["STOPPING=1"]


def test_alive_is_told_three_times_in_a_period(systemd: socket.socket) -> None:
    now = 0.0
    notifier = Notifier(
        {"NOTIFY_SOCKET": systemd.getsockname(), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())},
        monotonic=lambda: now,
    )
    for second in range(30):
        now = float(second)
        notifier.alive()
    assert told(systemd) == ["WATCHDOG=1"] * 3


@pytest.mark.parametrize(
    "watchdog", [{}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}]
)
def test_without_a_watchdog_of_ours_alive_says_nothing(systemd: socket.socket, watchdog: dict[str, str]) -> None:
    Notifier({"NOTIFY_SOCKET": systemd.getsockname()} | watchdog).alive()
    assert told(systemd) == []


def test_an_abstract_socket_is_understood() -> None:
    name = f"kmsg-exporter-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name}")
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).stopping()
        assert told(sock) == ["STOPPING=1"]


def test_a_socket_that_is_gone_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready("x")
    assert caplog.messages == ["systemd could not be told READY=1: [Errno 2] No such file or directory"]


def test_without_systemd_nothing_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    Notifier({}).ready("x")
    Notifier({}).stopping()
    assert caplog.messages == []
