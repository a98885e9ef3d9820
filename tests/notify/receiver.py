"""What Alertmanager notifies: it keeps each notification with its time, and lets the node wait for a signal."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SIGNAL_SECONDS = 300.0


@dataclass(frozen=True)
class Notification:
    """One call of the webhook: its path, when it came, in Unix seconds, and what it said."""

    path: str
    time: float
    body: dict[str, Any]


@dataclass
class Receiver:
    """`notifications` grows; `signal` lets go who waits for that name."""

    port: int
    notifications: list[Notification] = field(default_factory=list)
    signals: dict[str, threading.Event] = field(
        default_factory=lambda: {"clear": threading.Event(), "end": threading.Event()}
    )

    def signal(self, name: str) -> None:
        self.signals[name].set()

    def about(self, alertname: str) -> Notification | None:
        """The first notification of this alert."""
        named = (each for each in self.notifications if each.body["groupLabels"].get("alertname") == alertname)
        return next(named, None)


@contextmanager
def receiving(port: int) -> Iterator[Receiver]:
    """A receiver at this port of loopback until the block ends; who then still waits for a signal gets it."""
    receiver = Receiver(port)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.notifications.append(Notification(self.path, time.time(), body))
            self._answer(200)

        def do_GET(self) -> None:
            event = receiver.signals[self.path.removeprefix("/signal/")]
            self._answer(200 if event.wait(SIGNAL_SECONDS) else 504)

        def _answer(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="receiver")
        thread.start()
        try:
            yield receiver
        finally:
            for name in receiver.signals:
                receiver.signal(name)
            server.shutdown()
            thread.join()
