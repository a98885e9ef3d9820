"""HTTP by h11, which is always there: it knows a bound on heads and takes one request after the other by itself."""

from __future__ import annotations

from uvicorn.protocols.http.h11_impl import H11Protocol

from kmsg_exporter.collector.protocol import Connection


class H11Connection(Connection, H11Protocol):
    """Config's h11_max_incomplete_event_size is the bound."""
