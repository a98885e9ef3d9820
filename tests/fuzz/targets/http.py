"""Requests to the agent's web server, whole, cut off and one behind the other: answers, and none is a 500."""

from __future__ import annotations

import io
import re
import socket
from typing import Any, cast
from unittest.mock import patch

from target import Target

from kmsg_exporter.metrics import handler
from kmsg_exporter.metrics.exposition import Exposition
from kmsg_exporter.metrics.handler import Connection, Handler, Timeouts
from kmsg_exporter.metrics.scrapers import Scrapers
from kmsg_exporter.metrics.site import Site
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.model import Observation

_STATUS = re.compile(rb"HTTP/1\.[01] [1-5]\d\d ")


class _Wire:
    """A socket whose peer has sent all that it will."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)
        self.sent = bytearray()

    def recv_into(self, buffer: Any) -> int:
        return self._data.readinto(buffer)

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO()

    def settimeout(self, _: float) -> None:
        pass

    def setsockopt(self, *_: object) -> None:
        pass


def _failed(*_: object) -> None:
    raise


def one(data: bytes) -> None:
    wire = _Wire(data)
    site = Site(
        Exposition(Totals(), version="0"),
        Scrapers(),
        lambda: Observation("kprobe", ready=True),
        refresh=lambda: None,
        version="0",
        telemetry_path="/metrics",
        max_requests=1,
    )
    with patch.object(handler.log, "exception", _failed):
        Handler(Connection(1, cast("socket.socket", wire), "192.0.2.1"), site, software="x", timeouts=Timeouts())
    assert not wire.sent or _STATUS.match(wire.sent)
    assert len(_STATUS.findall(wire.sent)) <= data.count(b"\n") + 1
    site.closed(1)


TARGET = Target(
    one,
    seeds=(
        b"GET /-/healthy HTTP/1.1\r\nHost: a\r\n\r\nHEAD /-/ready HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\nAccept-Encoding: gzip;q=0.5\r\n\r\n",
        b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /%2e HTTP/2.0\n\n",
    ),
    words=(
        b"HTTP/1.1\r\n",
        b"\r\n\r\n",
        b"Expect: 100-continue\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: ",
    ),
)
