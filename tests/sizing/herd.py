"""A herd: many events at once, each by a connection of its own, as from as many agents."""

from __future__ import annotations

import gzip
import http.client
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import event
from services import SizingError

_SENDERS: Final = 8
_TIMEOUT_SECONDS: Final = 30
_HEADERS: Final = {"Content-Type": "application/json", "Content-Encoding": "gzip"}


def events_per_second(port: int, *, events: int = 1000) -> float:
    """What the collector at 127.0.0.1:`port` stores, each event answered before the next of its sender."""
    bodies = [gzip.compress(event.body(uid=str(uuid.uuid4())), compresslevel=1, mtime=0) for _ in range(events)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(_SENDERS) as pool:
        for _ in pool.map(partial(_post, port), bodies):
            pass
    return events / (time.perf_counter() - begun)


def _post(port: int, body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("POST", "/v1/logs", body, _HEADERS)
        answer = connection.getresponse()
        said = answer.read()
    finally:
        connection.close()
    if answer.status != 200 or said.strip() != b"{}":
        raise SizingError(f"the collector did not take an event: {answer.status} {said.decode(errors='replace')}")
