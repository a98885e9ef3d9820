"""How long the collector's pages take it: a store with many events, each page asked for a few times, a table."""

from __future__ import annotations

import argparse
import http.client
import tempfile
import time
from contextlib import closing
from pathlib import Path

from fleet import fill

from kmsg_exporter.collector.schema import STORE_NAME
from kmsg_exporter.collector.server import CollectorServer

TIMES = 7
PAGES = (
    "/", "/?since=1h", "/?since=24h", "/?since=30d", "/?since=all", "/?since=all&comm=dmesg", "/?since=all&severe=1",
    "/?since=all&unexpected=1&cluster=fra-1", "/?since=all&origin=cleanup.sh", "/?since=all&origin=curl",
    "/?since=all&exe=/nope", "/node?node=fra-1-worker-076", "/agents", "/?q=postgres", "/?since=all&q=postgres",
    "/?since=all&q=zzznothing", "/?since=all&q=kmsg", "/api/events", "/api/events?limit=500",
    "/api/events?q=zzznothing", "/api/events?arrived_after=0&limit=1",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--store", type=Path, help="a directory to make the store in, or one that has it from before")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        directory = asked.store or Path(made)
        if not (directory / STORE_NAME).exists():
            fill(directory / STORE_NAME, asked.events, now_ns=time.time_ns())
        with CollectorServer("127.0.0.1", 0, directory) as server:
            print(f"{'page':44} {'best':>8} {'median':>8} {'worst':>8} {'KB':>6}")
            for page in PAGES:
                taken, size = zip(*(_ask(server.port, page) for _ in range(TIMES)), strict=True)
                milliseconds = [f"{each * 1000:5.0f} ms" for each in sorted(taken)]
                print(
                    f"{page:44} {milliseconds[0]} {milliseconds[TIMES // 2]} {milliseconds[-1]} {max(size) // 1024:6}"
                )


def _ask(port: int, page: str) -> tuple[float, int]:
    began = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", page)
        answer = connection.getresponse()
        body = answer.read()
    assert answer.status == 200, f"{page}: {answer.status} {body[:200]!r}"
    return time.monotonic() - began, len(body)


if __name__ == "__main__":
    main()
