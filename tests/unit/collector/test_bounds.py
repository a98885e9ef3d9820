"""What the server holds at once: requests, and the bytes of their bodies."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from kmsg_exporter.collector import entrance, intake
from kmsg_exporter.collector.body import Room
from kmsg_exporter.collector.counts import Counts
from kmsg_exporter.collector.entrance import MAX_CHECKS, MAX_REQUESTS, Entrance
from kmsg_exporter.collector.server import CollectorServer
from kmsg_exporter.collector.store import Store

EXPECTS = b"Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n"


@contextlib.contextmanager
def under_way(port: int, length: int) -> Iterator[socket.socket]:
    """A request whose body is waited for."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(f"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n".encode() + EXPECTS)
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        yield sock


def test_more_requests_than_allowed_are_told_to_come_again(
    client: Any, record: Any, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entrance, "MAX_REQUESTS", 2)
    with under_way(client.port, 100), under_way(client.port, 100):
        answer = client.send(body(record("a")))
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert answer.json == {"code": 14, "message": "2 requests are being answered, as many as allowed"}
        assert client.get("/-/healthy").status == 200
        assert client.get("/-/ready").status == 200


class Doorkeeper:
    """Knows one, and has not finished with anybody else."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.checked = 0

    def allow(self, authorization: str | None) -> bool:
        assert self.done.wait(30)
        self.checked += 1
        return authorization == "late but right"

    def verdict(self, authorization: str | None) -> bool | None:
        return {"known": True, "known to be wrong": False}.get(authorization or "")

    def challenges(self) -> tuple[str, ...]:
        return ('Basic realm="kmsg_exporter"',)


async def status_of(entrance: Entrance, authorization: str, path: str = "/") -> int:
    said: list[Message] = []

    async def send(message: Message) -> None:
        said.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    headers = [(b"authorization", authorization.encode())]
    await entrance({"type": "http", "path": path, "method": "GET", "headers": headers}, receive, send)
    return int(said[0]["status"])


def test_more_guessers_than_requests_are_answered_keep_out_nobody_who_is_known() -> None:
    guard = Doorkeeper()
    entrance = Entrance(PlainTextResponse("hello"), Counts(), guard=guard)

    async def crowd() -> None:
        tries = [asyncio.create_task(status_of(entrance, f"guess {number}")) for number in range(MAX_CHECKS - 1)]
        tries.append(asyncio.create_task(status_of(entrance, "late but right")))
        tries += [asyncio.create_task(status_of(entrance, f"too many {number}")) for number in range(MAX_REQUESTS)]
        await asyncio.sleep(0)  # each is at its wait, or answered
        assert [await status_of(entrance, "known") for _ in range(100)] == [200] * 100
        assert await status_of(entrance, "known to be wrong") == 401
        assert await status_of(entrance, "", "/-/ready") == 200
        guard.done.set()
        assert await asyncio.gather(*tries) == [401] * (MAX_CHECKS - 1) + [200] + [503] * MAX_REQUESTS
        assert guard.checked == MAX_CHECKS
        assert await status_of(entrance, "one more guess") == 401

    asyncio.run(crowd())


def test_health_takes_no_place_of_those_who_are_answered() -> None:
    """A check of the store that takes its time is asked for by anybody."""

    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/-/ready":
            await free.wait()
        await PlainTextResponse("hello")(scope, receive, send)

    free = asyncio.Event()
    entrance = Entrance(held, Counts())

    async def crowd() -> None:
        asked = [asyncio.create_task(status_of(entrance, "", "/-/ready")) for _ in range(MAX_REQUESTS + 10)]
        await asyncio.sleep(0)
        assert await status_of(entrance, "") == 200
        free.set()
        assert set(await asyncio.gather(*asked)) == {200}

    asyncio.run(crowd())


def test_room_for_all_bodies_is_shared_and_given_back() -> None:
    room = Room(100)
    with room.share() as one, room.share() as other:
        one(60)
        other(40)
        with pytest.raises(HTTPException) as raised:
            other(1)
        assert (raised.value.status_code, raised.value.headers) == (503, {"Retry-After": "1"})
        assert room.left == 0
    assert room.left == 100


def test_events_that_wait_for_the_disk_take_their_room_until_they_are_stored(
    tmp_path: Path, make_client: Any, record: Any, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resource that three of them have in common is three times what it was."""
    room, seen = Room(100_000), list[int]()
    monkeypatch.setattr(intake, "Room", lambda: room)
    add = Store.add

    def watched(store: Store, *what: Any) -> Any:
        seen.append(room.left)
        return add(store, *what)

    monkeypatch.setattr(Store, "add", watched)
    sent = body(record("a"), record("b"), record("c"), resource={"large": "x" * 20_000})
    with CollectorServer("127.0.0.1", 0, tmp_path) as server:
        assert make_client(server.port).send(sent).status == 200
    assert len(sent) < 30_000 < 100_000 - seen[0] - 30_000
    assert room.left == 100_000


def test_bodies_that_take_too_much_together_are_told_to_come_again(
    tmp_path: Path, make_client: Any, record: Any, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted as they are unpacked, and given back when they are answered."""
    room = Room(2000)
    monkeypatch.setattr(intake, "Room", lambda: room)
    large = body(record("a", body={"stringValue": "x" * 3000}))
    with CollectorServer("127.0.0.1", 0, tmp_path) as server:
        client = make_client(server.port)
        for sent in (gzip.compress(large), gzip.compress(large)):
            answer = client.send(sent, content_encoding="gzip")
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert client.send(body(record("b"))).status == 200
        assert client.uids() == ["b"]
    assert room.left == 2000
