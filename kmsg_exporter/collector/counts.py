"""What the server counts of requests and connections; only its event loop writes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from kmsg_exporter.collector.decode import REFUSALS

# why a connection was closed by us: for a newer one, for what did not come, for what was not taken
CLOSED = ("evicted", "request_timeout", "write_timeout", "handshake")
REJECTED = (*REFUSALS, "variants")


@dataclass(slots=True)
class Counts:
    """Each has all that can come at 0 from the start, but for `requests`, whose codes are the app's."""

    requests: Counter[int] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REJECTED, 0)))
    closed: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(CLOSED, 0)))
    connections: int = 0
