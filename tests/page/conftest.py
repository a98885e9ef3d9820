"""A collector with a fleet's events in it, a browser to look at it with, and agents' requests to it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from browser import Page, browser
from fleet import fill, pairs
from person import Person

from kmsg_exporter.collector import server
from kmsg_exporter.collector.schema import STORE_NAME
from kmsg_exporter.collector.server import CollectorServer
from kmsg_exporter.collector.silence import Silence

HERE = Path(__file__).parent
EVENTS = 1500
Send = Callable[..., None]


@pytest.fixture(scope="session", autouse=True)
def _machine_is_ready() -> None:
    subprocess.run([HERE / "setup.sh"], check=True, timeout=600)


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CollectorServer]:
    """Shared: each test brings nodes of its own where it counts."""
    directory = tmp_path_factory.mktemp("collector")
    fill(directory / STORE_NAME, EVENTS, now_ns=time.time_ns(), nodes=120)
    with CollectorServer("127.0.0.1", 0, directory) as running:
        yield running


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def person(page: Page, collector: CollectorServer) -> Person:
    return Person(page, collector.url.rstrip("/"))


@pytest.fixture
def visitor(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Somebody at a collector that no test has sent anything to, and that has listened for a day."""
    day_ns = 86_400 * 10**9
    monkeypatch.setattr(server, "Silence", lambda seconds, opened_ns: Silence(seconds, opened_ns - day_ns))
    fill(tmp_path / STORE_NAME, EVENTS, now_ns=time.time_ns(), nodes=120)
    with CollectorServer("127.0.0.1", 0, tmp_path) as running:
        yield Person(page, running.url.rstrip("/"))


@pytest.fixture
def send(collector: CollectorServer) -> Send:
    """Store an event now, of this uid and node, with these attributes."""

    def sending(uid: str, node: str, body: str = "", **attributes: Any) -> None:
        named = {key.replace("__", "."): value for key, value in attributes.items()}
        record = {
            "timeUnixNano": str(time.time_ns()),
            "eventName": "kmsg.emptied",
            "body": {"stringValue": body},
            "attributes": pairs({"log.record.uid": uid, **named}),
        }
        resource = {"attributes": pairs({"host.name": node})}
        request = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}
        with closing(http.client.HTTPConnection("127.0.0.1", collector.port, timeout=30)) as connection:
            connection.request("POST", "/v1/logs", json.dumps(request), {"content-type": "application/json"})
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"{}")

    return sending


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: PICTURES=docs renews those of the README."""
    chosen = os.environ.get("PICTURES")
    return Path(chosen) if chosen else tmp_path_factory.mktemp("pictures")
