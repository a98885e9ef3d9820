"""Recorded scrapes, served one after the other as an agent would: the last one from then on."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RECORDED = Path(__file__).parent / "recorded"
_TIME = re.compile(r"^(\w+_timestamp_seconds|process_start_time_seconds) (\S+)$", re.MULTILINE)
_START = re.compile(r"^process_start_time_seconds (\S+)$", re.MULTILINE)


def recorded_pages() -> list[str]:
    """What was recorded, oldest first."""
    return [path.read_text() for path in sorted(RECORDED.glob("kprobe-*.prom"))]


def moved_to(pages: Sequence[str], start: float) -> list[str]:
    """The same, by an agent that started at another time."""
    found = _START.search(pages[0])
    assert found, "a recorded scrape has process_start_time_seconds"
    shift = start - float(found[1])
    return [_TIME.sub(lambda match: f"{match[1]} {float(match[2]) + shift}", page) for page in pages]


class Replay:
    """Hands out the pages in their order."""

    def __init__(self, pages: Sequence[str]) -> None:
        self._pages = pages
        self._served = 0
        self._lock = threading.Lock()

    @property
    def over(self) -> bool:
        """Whether the last page has been served."""
        return self._served >= len(self._pages)

    def next(self) -> str:
        with self._lock:
            self._served += 1
            return self._pages[min(self._served, len(self._pages)) - 1]


@contextmanager
def serving(port: int) -> Iterator[Replay]:
    """The recorded scrapes on this port, as if the agent had started now."""
    replay = Replay(moved_to(recorded_pages(), time.time()))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = replay.next().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield replay
        finally:
            server.shutdown()
            thread.join()
