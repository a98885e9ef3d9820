"""The collector's own metrics, health and access log."""

from __future__ import annotations

import http.client
import json
import logging
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from kmsg_exporter.collector import figures
from kmsg_exporter.collector.figures import ALL
from kmsg_exporter.collector.server import CollectorServer, Settings
from kmsg_exporter.logfmt import JsonFormatter, LogfmtFormatter

INSTANCE = {"service.instance.id": "one", "service.version": "0.9.0"}


@pytest.fixture(autouse=True)
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "_LOOK_SECONDS", 0.0)


def values(client: Any) -> dict[str, float]:
    text = client.get("/metrics").text
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def numbered(record: Any, sequence: int, **fields: Any) -> Any:
    return record(f"uid-{sequence}", attributes={"kmsg.sequence": sequence, "kmsg.boot_id": "boot-a"}, **fields)


def test_promtool_has_nothing_to_say(client: Any, record: Any, body: Any) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: apt-get install prometheus"
    client.send(body(record("a"), resource=INSTANCE))
    text = client.get("/metrics")
    assert text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    done = subprocess.run([promtool, "check", "metrics"], input=text.body, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_every_metric_that_is_documented_is_there_and_no_other(client: Any, record: Any, body: Any) -> None:
    client.send(body(record("a"), resource=INSTANCE))
    client.get("/")
    shown = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(client.get("/metrics").text)
    }
    assert {name for name in shown if name.startswith("kmsg_")} == {figure.name for figure in ALL}
    assert "process_resident_memory_bytes" in shown


def test_counters_are_there_before_anything_happened(client: Any) -> None:
    found = values(client)
    for name in (
        "kmsg_collector_events_stored_total",
        "kmsg_collector_events_duplicate_total",
        "kmsg_collector_events_conflicting_total",
        "kmsg_collector_events_rejected_total reason=uid",
        "kmsg_collector_events_expired_total reason=age",
        "kmsg_collector_events_expired_total reason=bytes",
        "kmsg_collector_agents_forgotten_total reason=bound",
        "kmsg_collector_commit_failures_total",
        "kmsg_collector_silent_agents",
        "kmsg_collector_missing_events",
    ):
        assert found[name] == 0
    assert "kmsg_collector_oldest_event_timestamp_seconds" not in found


def test_what_comes_is_counted(client: Any, record: Any, body: Any) -> None:
    client.send(body(numbered(record, 1), numbered(record, 3), resource=INSTANCE))
    client.send(body(numbered(record, 3), resource=INSTANCE))
    client.send(body(numbered(record, 3, body={"stringValue": "other"}), resource=INSTANCE))
    client.send(body(record(None), record("b", eventName="other"), resource=INSTANCE))
    client.send(b"{")
    found = values(client)
    expected = {
        "kmsg_collector_events_stored_total": 2,
        "kmsg_collector_events_duplicate_total": 1,
        "kmsg_collector_events_conflicting_total": 1,
        "kmsg_collector_events_rejected_total reason=uid": 1,
        "kmsg_collector_events_rejected_total reason=event_name": 1,
        "kmsg_collector_requests_total code=200": 4,
        "kmsg_collector_requests_total code=400": 1,
        "kmsg_collector_agents version=0.9.0": 1,
        "kmsg_collector_missing_events": 1,
        "kmsg_collector_commit_duration_seconds_count": 3,
        "kmsg_collector_commit_events_sum": 4,
        "kmsg_collector_store_max_bytes": 4 << 30,
    }
    assert {name: found[name] for name in expected} == expected
    assert found["kmsg_collector_store_bytes"] > 4096
    assert found["kmsg_collector_oldest_event_timestamp_seconds"] > 1.7e9


def test_a_hello_is_heard_and_its_gap_shown(client: Any, body: Any) -> None:
    for sequence in (4, 6):
        scope = {"kmsg.sequence": sequence, "kmsg.boot_id": "boot-a"}
        assert client.send(body(resource=INSTANCE, scope=scope)).text == "{}"
    found = values(client)
    assert found["kmsg_collector_agents version=0.9.0"] == 1
    assert found["kmsg_collector_missing_events"] == 2


@pytest.mark.parametrize(("silent_after_seconds", "silent"), [(0.0, 1), (900.0, 0)])
def test_an_agent_is_silent_when_the_collector_itself_has_listened_for_long_enough(
    tmp_path: Path, make_client: Any, body: Any, silent_after_seconds: float, silent: int
) -> None:
    settings = Settings(silent_after_seconds=silent_after_seconds)
    with CollectorServer("127.0.0.1", 0, tmp_path, settings) as server:
        client = make_client(server.port)
        client.send(body(resource=INSTANCE, scope={"kmsg.sequence": 0}))
        with closing(sqlite3.connect(tmp_path / "events.sqlite3")) as connection, connection:
            connection.execute("UPDATE agent SET last_seen_unix_ns = last_seen_unix_ns - 10000000000000")
        assert values(client)["kmsg_collector_silent_agents"] == silent
        page = client.get("/agents").text
        assert page.count('<span class="is-severe">silent</span>') == silent
        assert (" silent" in client.get("/").text) == (silent > 0)


def test_versions_without_end_are_a_few_series(client: Any, body: Any) -> None:
    for number in range(40):
        resource = {"service.instance.id": f"i-{number}", "service.version": f'"{number}"\n'}
        client.send(body(resource=resource, scope={"kmsg.sequence": 0}))
    shown = {name: value for name, value in values(client).items() if name.startswith("kmsg_collector_agents ")}
    assert len(shown) == 33
    assert shown["kmsg_collector_agents version=other"] == 8


def test_a_hanging_writer_is_not_healthy_and_not_ready(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    held, at_it = threading.Event(), threading.Event()
    monkeypatch.setattr("kmsg_exporter.collector.app.CHECK_SECONDS", 0.1)
    monkeypatch.setattr("kmsg_exporter.collector.intake.STORE_SECONDS", 0.1)
    monkeypatch.setattr("kmsg_exporter.collector.store.HUNG_SECONDS", 0.05)

    def stuck(*_: object) -> None:
        at_it.set()
        held.wait(30)

    monkeypatch.setattr("kmsg_exporter.collector.store.Store._commit", stuck)
    try:
        answer = client.send(b'{"resourceLogs":[{"scopeLogs":[{"scope":{"attributes":[{"key":"kmsg.sequence"}]}}]}]}')
        assert (answer.status, answer.headers["retry-after"]) == (503, "10")
        assert at_it.is_set()
        monkeypatch.setattr("kmsg_exporter.collector.intake.STORE_SECONDS", 3600.0)
        again = client.send(b"no matter what")
        assert (again.status, again.headers["retry-after"]) == (503, "10")
        assert again.json == {"code": 14, "message": "nothing is stored any more: try again later"}
        answers = [client.get(path) for path in ("/-/healthy", "/-/ready")]
        assert [answer.status for answer in answers] == [503, 503]
        assert answers[0].text == "not healthy: nothing is stored any more: restart it\n"
        assert answers[1].text == "the store took more than 0.1 seconds to be written\n"
    finally:
        held.set()


def test_a_store_that_can_not_be_read_is_not_ready(
    client: Any, server: CollectorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kmsg_exporter.collector.app._CHECKED_SECONDS", 0.0)
    assert client.get("/-/ready").status == 200
    with closing(sqlite3.connect(server.data_dir / "events.sqlite3")) as connection:
        connection.execute("ALTER TABLE event RENAME TO elsewhere")
    answer = client.get("/-/ready")
    assert answer.status == 503
    assert answer.text.startswith("can't read the collector's store ")


def test_requests_are_logged_when_asked_for_without_what_may_be_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with (
        CollectorServer("127.0.0.1", 0, tmp_path, Settings(access_log=True)) as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection,
    ):
        headers = {"Authorization": "Bearer s3cret", "User-Agent": "x" * 300 + "\t"}
        connection.request("GET", "/api/events%0a%1b[31m?token=s3cret", headers=headers)
        connection.getresponse().read()
    (logged,) = (entry for entry in caplog.records if entry.name == "kmsg_exporter.collector.entrance")
    line = LogfmtFormatter().format(logged)
    assert "s3cret" not in line
    assert line.isprintable()
    fields = json.loads(JsonFormatter().format(logged))
    assert {key: fields[key] for key in ("level", "client", "method", "path", "status")} == {
        "level": "info",
        "client": "127.0.0.1",
        "method": "GET",
        "path": "/api/events\n\x1b[31m",
        "status": 404,
    }
    assert len(fields["user_agent"]) == 200
    assert fields["duration_seconds"] >= 0


def test_requests_are_not_logged_unless_asked_for(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client.get("/")
    assert caplog.records == []
