"""kill -9 of the Collector while agents send: every event is at the far end, as it left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from conftest import MakeGateway
from gateway import Gateway, uid
from nodes import Nodes
from process import eventually

from kmsg_exporter.push.endpoint import Endpoint

ToGateway = Callable[[Gateway], Endpoint]
NAMES = [f"node-{number}" for number in range(10)]
ROUNDS = 4


def test_what_goes_to_a_file_outlives_kills(gateway: MakeGateway, to_gateway: ToGateway, tmp_path: Path) -> None:
    receiver = gateway("to-file.yaml")
    with Nodes(NAMES, tmp_path, to_gateway(receiver)) as nodes:
        for _ in range(ROUNDS):
            stored = len(receiver.records())
            nodes.empty(3)
            eventually(partial(_has_more, receiver, stored), "some have arrived")
            receiver.kill()
            nodes.empty(2)
            receiver.start()
        eventually(lambda: nodes.waiting == 0, "all were sent")
        _require_all(nodes, receiver, len(NAMES) * ROUNDS * 5)


def test_what_is_queued_outlives_kills_while_its_destination_is_away(
    gateway: MakeGateway, to_gateway: ToGateway, tmp_path: Path
) -> None:
    destination = gateway("to-file.yaml")
    receiver = gateway("to-otlp.yaml", **_onwards(destination))
    destination.kill()
    with Nodes(NAMES, tmp_path, to_gateway(receiver)) as nodes:
        for _ in range(ROUNDS):
            nodes.empty(5)
            eventually(lambda: nodes.waiting < len(NAMES), "most were taken")
            receiver.kill()
            receiver.start()
        eventually(lambda: nodes.waiting == 0, "all were taken")
        assert destination.records() == []
        destination.start()
        wanted = set(nodes.records())
        eventually(lambda: {uid(record) for record in destination.records()} >= wanted, "all have arrived")
        _require_all(nodes, destination, len(NAMES) * ROUNDS * 5)


def test_what_a_full_queue_refuses_is_sent_again(gateway: MakeGateway, to_gateway: ToGateway, tmp_path: Path) -> None:
    destination = gateway("to-file.yaml")
    receiver = gateway("to-otlp.yaml", **_onwards(destination), KMSG_GATEWAY_QUEUE_BYTES="100000")
    destination.kill()
    with Nodes(NAMES, tmp_path, to_gateway(receiver)) as nodes:
        nodes.empty(5)
        eventually(lambda: nodes.failures("http_503"), "the queue is full")
        assert nodes.waiting > 0
        destination.start()
        eventually(lambda: nodes.waiting == 0, "all were taken")
        wanted = set(nodes.records())
        eventually(lambda: {uid(record) for record in destination.records()} >= wanted, "all have arrived")
        _require_all(nodes, destination, len(NAMES) * 5)


def test_what_the_memory_limiter_refuses_is_sent_again(
    gateway: MakeGateway, to_gateway: ToGateway, tmp_path: Path
) -> None:
    tight = {"KMSG_GATEWAY_MEMORY_MIB": "2", "KMSG_GATEWAY_SPIKE_MIB": "1"}  # less than it has when it starts
    receiver = gateway("to-file.yaml", **tight)
    with Nodes(NAMES, tmp_path, to_gateway(receiver)) as nodes:

        def refused() -> bool:  # it looks at its memory once a second, for the first time after one
            nodes.empty()
            return nodes.failures("http_503") > 0

        eventually(refused, "the memory limiter refuses")
        assert receiver.metric("otelcol_processor_memory_limiter_refused_log_records") > 0
        receiver.stop()
        receiver.environ.update(KMSG_GATEWAY_MEMORY_MIB="400", KMSG_GATEWAY_SPIKE_MIB="80")
        receiver.start()
        eventually(lambda: nodes.waiting == 0, "all were taken")
        _require_all(nodes, receiver)


def _has_more(far_end: Gateway, than: int) -> bool:
    return len(far_end.records()) > than


def _onwards(destination: Gateway) -> dict[str, str]:
    return {
        "KMSG_OTLP_ENDPOINT": f"https://127.0.0.1:{destination.port}",
        "SSL_CERT_FILE": destination.environ["KMSG_GATEWAY_CLIENT_CA"],
    }


def _require_all(nodes: Nodes, far_end: Gateway, count: int | None = None) -> None:
    """Each uid at least once, and each time with what its spool holds."""
    left = nodes.records()
    assert count in (None, len(left))
    arrived = far_end.records()
    times = Counter(uid(record) for record in arrived)
    assert set(times) == set(left)
    for record in arrived:
        assert record == left[uid(record)]
