"""A collector of its own process, which outlives every agent that sends to it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support import DEADLINE_SECONDS, collector, eventually, free_port


class Collector:
    """What it has stored, by its API."""

    def __init__(self, port: int) -> None:
        self.port = port

    def stored(self) -> list[dict[str, Any]]:
        """Every event, newest first."""
        events: list[dict[str, Any]] = []
        before = ""
        while True:
            answer = self._get(f"/api/events?limit=500{before}")
            events += answer["events"]
            if answer["next"] is None:
                return events
            before = f"&before={answer['next']}"

    def answers(self) -> bool:
        try:
            return "events" in self._get("/api/events?limit=1")
        except OSError:
            return False

    def _get(self, path: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            connection.request("GET", path)
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()


@contextmanager
def collecting(directory: Path) -> Iterator[Collector]:
    """A collector that answers."""
    port = free_port()
    with collector(port, directory):
        one = Collector(port)
        eventually(one.answers, why="the collector answers")
        yield one
