"""One scrape as Prometheus makes it: how many series, how many bytes, how long."""

from __future__ import annotations

import gzip
import http.client
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from nodes import Node

from kmsg_exporter import __version__
from kmsg_exporter.metrics.web import WebServer

_TIMEOUT_SECONDS: Final = 30
_HEADERS: Final = {
    "Accept-Encoding": "gzip",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
}


@dataclass(frozen=True, slots=True)
class Scrape:
    """Sizes are of the body. `milliseconds` is the median from the request to the last byte, gzip included."""

    series: int
    plain_bytes: int
    gzip_bytes: int
    milliseconds: float


def scrape(port: int, *, rounds: int = 15) -> Scrape:
    """Of the agent at 127.0.0.1:`port`, over one kept-alive connection. Raises OSError, HTTPException."""
    web = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    taken = []
    try:
        for _ in range(rounds):
            begun = time.perf_counter()
            web.request("GET", "/metrics", headers=_HEADERS)
            answer = web.getresponse()
            packed = answer.read()
            taken.append(time.perf_counter() - begun)
            if answer.status != 200:
                raise http.client.HTTPException(f"/metrics answered {answer.status}: {packed.decode(errors='replace')}")
    finally:
        web.close()
    plain = gzip.decompress(packed)
    series = sum(not line.startswith(b"#") for line in plain.splitlines())
    return Scrape(series, len(plain), len(packed), statistics.median(taken) * 1000)


@contextmanager
def serving(node: Node) -> Iterator[int]:
    """The agent's own web server for `node`, in this process; yields its port."""
    with WebServer(
        [("127.0.0.1", 0)], totals=node.totals, observe=lambda: node.observation, version=__version__, max_requests=4
    ) as server:
        yield server.addresses[0][1]
