"""A running collector and the OTLP bodies that are sent to it."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import pytest

from kmsg_exporter.collector.server import CollectorServer


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Plain HTTP, one connection a request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def request(
        self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request(method, target, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def get(self, target: str) -> Answer:
        return self.request("GET", target)

    def send(self, body: bytes, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", "/v1/logs", body, {"content-type": "application/json", **named})

    def uids(self) -> list[str]:
        return [event["uid"] for event in self.get("/api/events?limit=500").json["events"]]


class MakeRecord(Protocol):
    def __call__(self, uid: str | None = ..., **fields: Any) -> dict[str, Any]: ...


class MakeBody(Protocol):
    def __call__(
        self,
        *records: dict[str, Any],
        node: str = ...,
        resource: Mapping[str, Any] = ...,
        scope: Mapping[str, Any] = ...,
    ) -> bytes: ...


def any_value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case list():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": key_values(value)}}
        case _:
            return {"stringValue": value}


def key_values(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


@pytest.fixture
def record() -> MakeRecord:
    """An OTLP log record. `attributes` are added to the uid and the event name; None leaves the uid out."""

    def make(uid: str | None = "uid-1", **fields: Any) -> dict[str, Any]:
        attributes = {"event.name": "kmsg.emptied", **fields.pop("attributes", {})}
        if uid is not None:
            attributes["log.record.uid"] = uid
        return {
            "timeUnixNano": "1706933106789000000",
            "severityNumber": 13,
            "eventName": "kmsg.emptied",
            "attributes": key_values(attributes),
            **fields,
        }

    return make


@pytest.fixture
def body() -> MakeBody:
    def make(
        *records: dict[str, Any],
        node: str = "node-7",
        resource: Mapping[str, Any] = MappingProxyType({}),
        scope: Mapping[str, Any] = MappingProxyType({}),
    ) -> bytes:
        named = {"service.name": "kmsg-exporter", "host.name": node, **resource}
        counted = {"name": "kmsg_exporter", "attributes": key_values(scope)}
        logs = {
            "resource": {"attributes": key_values(named)},
            "scopeLogs": [{"scope": counted, "logRecords": list(records)}],
        }
        return json.dumps({"resourceLogs": [logs]}).encode()

    return make


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CollectorServer]:
    with CollectorServer("127.0.0.1", 0, tmp_path / "data") as running:
        yield running


@pytest.fixture
def client(server: CollectorServer) -> Client:
    return Client(server.port)


@pytest.fixture
def make_client() -> Callable[[int], Client]:
    return Client


@pytest.fixture
def gzipped_zeros() -> bytes:
    """200 MB of zeros, packed into 200 KB: a JSON string that would never end."""
    return gzip.compress(b'"' + bytes(200_000_000), 1)
