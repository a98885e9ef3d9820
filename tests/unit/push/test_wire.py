"""Every exchange ends, also where no time-out of a socket reaches."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from kmsg_exporter.push.wire import Wire

PATIENCE = 20.0


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    over, real = threading.Event(), socket.getaddrinfo

    def hangs(host: str, port: int, family: int = 0, kind: int = 0, protocol: int = 0, flags: int = 0) -> Any:
        if flags & socket.AI_NUMERICHOST:
            return real(host, port, family, kind, protocol, flags)
        over.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_AGAIN, "never mind")

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    wire = Wire()
    with wire.exchange(0.05), pytest.raises(TimeoutError, match=r"collector\.example did not resolve in time"):
        wire.connect("collector.example", 4318, ())
    over.set()


def test_an_exchange_can_be_cut_from_another_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire = Wire()
        with wire.exchange(3600.0, gives_way=True):
            sock = wire.connect("127.0.0.1", server.getsockname()[1], ())
            threading.Timer(0.01, wire.cut).start()
            assert sock.recv(1) == b""
            assert wire.is_cut
            sock.close()
        wire.close()


def test_an_address_that_refuses_leaves_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.2", "127.0.0.1")]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
        wire = Wire()
        with wire.exchange(PATIENCE), wire.connect("collector.example", port, ()) as sock:
            assert sock.getpeername() == ("127.0.0.1", port)
        wire.close()


def test_an_exchange_that_is_over_connects_no_more() -> None:
    wire = Wire()
    with wire.exchange(PATIENCE, gives_way=True):
        wire.cut()
        with pytest.raises(TimeoutError):
            wire.connect("127.0.0.1", 1, ())


def test_an_exchange_that_does_not_give_way_is_not_cut() -> None:
    wire = Wire()
    with wire.exchange(PATIENCE, gives_way=True):
        pass
    with wire.exchange(PATIENCE):
        wire.cut()
        assert not wire.is_cut


def test_a_timer_that_comes_late_leaves_the_next_exchange_alone() -> None:
    wire = Wire()
    with wire.exchange(PATIENCE):
        late = wire._timer
    with wire.exchange(PATIENCE):
        assert late is not None
        late.function(*late.args)
        assert not wire.is_cut


def test_only_the_last_connection_is_held() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire = Wire()
        with wire.exchange(PATIENCE):
            wire.connect("127.0.0.1", server.getsockname()[1], ()).close()
            first, _ = server.accept()
            wire.connect("127.0.0.1", server.getsockname()[1], ()).close()
            first.settimeout(PATIENCE)
            assert first.recv(1) == b""
            first.close()
        wire.close()
