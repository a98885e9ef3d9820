"""However often an attempt fails, or is answered and the connection ended, the agent holds no more of them open."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

import pytest
from fault_node import RESOURCE
from fault_server import Act, Collector, Handler, answers, sends_10_gib, serving

from kmsg_exporter.errors import PushError
from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.endpoint import Endpoint

ATTEMPTS = 6


def ends_the_connection(handler: Handler, _: list[int]) -> None:
    handler.close_connection = True
    handler.answer(200, Connection="close")


def connections(port: int) -> int:
    """Descriptors of this process whose other end is at `port` of this machine."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            sock = socket.socket(fileno=int(name))
            try:
                found += sock.getpeername()[1:2] == (port,)
            finally:
                sock.detach()
    return found


@pytest.mark.parametrize(
    ("act", "left"),
    [(answers(503), 0), (answers(400), 0), (sends_10_gib(401), 0), (sends_10_gib(200), 1), (ends_the_connection, 1)],
    ids=["503", "400", "401 and more than is read", "200 and more than is read", "200 and an end"],
)
def test_an_attempt_that_is_over_leaves_no_connection(act: Act, left: int) -> None:
    with serving(Collector(act)) as collector:
        delivery = Delivery(Endpoint(f"http://127.0.0.1:{collector.port}/v1/logs"), RESOURCE)
        for number in range(ATTEMPTS):
            with suppress(PushError):
                delivery.post([{"sequence": number}])
            assert connections(collector.port) <= left
        assert len(collector.heard) == ATTEMPTS
        delivery.close()
        assert connections(collector.port) == 0
