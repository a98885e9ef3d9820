"""Agents, Collector, Kafka, and back: with both killed in between, every event is there as it left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from broker import Broker
from conftest import MakeGateway
from gateway import Gateway, line_records, uid
from nodes import Nodes
from process import Program, eventually

from kmsg_exporter.push.endpoint import Endpoint

TOPIC = "kmsg-events"
NAMES = [f"node-{number}" for number in range(10)]


@pytest.fixture
def broker(kafka_jars: Path, tmp_path: Path, running: Callable[[Program], None]) -> Broker:
    folder = tmp_path / "broker"
    folder.mkdir()
    one = Broker(kafka_jars, folder)
    one.format()
    running(one)
    return one


def test_every_event_is_read_back_after_kills(
    broker: Broker, gateway: MakeGateway, to_gateway: Callable[[Gateway], Endpoint], tmp_path: Path
) -> None:
    receiver = gateway("token.yaml", "to-kafka.yaml", KMSG_KAFKA_BROKERS=f"127.0.0.1:{broker.port}")
    sent = "otelcol_exporter_sent_log_records"
    with Nodes(NAMES, tmp_path, to_gateway(receiver)) as nodes:
        nodes.empty(5)
        eventually(lambda: nodes.waiting == 0 and receiver.metric(sent) > 0, "some are in Kafka")
        broker.kill()
        nodes.empty(5)
        eventually(lambda: nodes.waiting < 10, "the Collector has taken most, for later")
        receiver.kill()
        nodes.empty(5)
        broker.start()
        receiver.start()
        eventually(lambda: nodes.waiting == 0, "all were taken")
        broker.kill()
        nodes.empty(5)
        eventually(lambda: nodes.waiting == 0, "all were taken, for later")
        broker.start()
        eventually(lambda: receiver.metric("otelcol_exporter_queue_size") == 0, "all were handed on")
        left = nodes.records()
    assert len(left) == 200
    arrived = [record for line in broker.lines(TOPIC) for record in line_records(line)]
    assert {uid(record) for record in arrived} == set(left)
    for record in arrived:
        assert record == left[uid(record)]
