"""A thousand connections that never send a byte, and agents without number."""

from __future__ import annotations

import json
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kmsg_exporter.collector.connections import connections_allowed

IDLE = 1000
INSTANCES = 55_000
AT_ONCE = 2500


def met(collector: Any) -> float:
    """How many connections it holds or has closed for being idle."""
    closed = [
        collector.value(f'kmsg_collector_connections_closed_total{{reason="{reason}"}}')
        for reason in ("request_timeout", "handshake", "evicted")
    ]
    return float(collector.value("kmsg_collector_connections") + sum(closed))


def test_a_thousand_idle_connections_keep_nobody_out(start: Any, body: Any) -> None:
    collector = start()
    connections_allowed()  # this process needs descriptors, too
    with ExitStack() as idle:
        for _ in range(IDLE):
            idle.enter_context(socket.create_connection(("127.0.0.1", collector.port), timeout=30))
        assert [collector.post(body(str(number)))[0] for number in range(20)] == [200] * 20
        assert collector.get("/")[0] == 200
        assert met(collector) >= IDLE
    assert collector.value("kmsg_collector_events_stored_total") == 20


def test_more_connections_than_it_holds_keep_nobody_out(start: Any, body: Any) -> None:
    collector = start()
    connections_allowed()
    with ExitStack() as idle:
        for _ in range(3000):
            idle.enter_context(socket.create_connection(("127.0.0.1", collector.port), timeout=30))
        assert [collector.post(body(str(number)))[0] for number in range(20)] == [200] * 20
        assert collector.value("kmsg_collector_connections") <= 2048


def test_a_thousand_clients_that_never_shake_hands_keep_nobody_out(
    start: Any, body: Any, certificate: ssl.SSLContext, tmp_path: Path
) -> None:
    collector = start(f"--web.config.file={tmp_path}/web.yaml", context=certificate)
    connections_allowed()
    with ExitStack() as idle:
        for _ in range(IDLE):
            idle.enter_context(socket.create_connection(("127.0.0.1", collector.port), timeout=30))
        assert [collector.post(body(str(number)))[0] for number in range(20)] == [200] * 20
        assert met(collector) >= IDLE


def hellos(first: int) -> bytes:
    scope = {"name": "kmsg_exporter", "attributes": [{"key": "kmsg.sequence", "value": {"intValue": "0"}}]}
    return json.dumps(
        {
            "resourceLogs": [
                {
                    "resource": {
                        "attributes": [{"key": "service.instance.id", "value": {"stringValue": f"i-{number}"}}]
                    },
                    "scopeLogs": [{"scope": scope, "logRecords": []}],
                }
                for number in range(first, first + AT_ONCE)
            ]
        }
    ).encode()


def test_agents_without_number_are_bounded_and_the_longest_silent_forgotten(start: Any) -> None:
    collector = start()
    for first in range(0, INSTANCES, AT_ONCE):
        assert collector.post(hellos(first))[0] == 200
    assert collector.value('kmsg_collector_agents{version=""}') == 50_000
    assert collector.value('kmsg_collector_agents_forgotten_total{reason="bound"}') == 5_000
    assert collector.value("kmsg_collector_missing_events") == 0
