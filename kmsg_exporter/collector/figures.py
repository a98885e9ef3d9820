"""The collector's own metrics: their names, and what they say now."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector, CollectorRegistry

from kmsg_exporter import __version__
from kmsg_exporter.collector.counts import Counts
from kmsg_exporter.collector.histogram import Histogram
from kmsg_exporter.collector.ledger import MISSING, SILENT, VERSIONS
from kmsg_exporter.collector.silence import Silence
from kmsg_exporter.collector.store import Store, explained

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
MAX_VERSIONS: Final = 32
_LOOK_SECONDS: Final = 5.0
_NS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric, as dashboards and alerts know it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


REQUESTS: Final = Figure("kmsg_collector_requests_total", "counter", "Requests, by the answer's status.", ("code",))
STORED: Final = Figure("kmsg_collector_events_stored_total", "counter", "Events stored.")
DUPLICATES: Final = Figure(
    "kmsg_collector_events_duplicate_total", "counter", "Events that came again and were stored already."
)
CONFLICTING: Final = Figure(
    "kmsg_collector_events_conflicting_total",
    "counter",
    "Events stored beside another one of the same uid, with other content.",
)
REJECTED: Final = Figure(
    "kmsg_collector_events_rejected_total", "counter", "Records taken and not stored, by reason.", ("reason",)
)
EXPIRED: Final = Figure(
    "kmsg_collector_events_expired_total", "counter", "Events let go of for their age or for room.", ("reason",)
)
AGENTS: Final = Figure("kmsg_collector_agents", "gauge", "Agents heard of, by the version they say.", ("version",))
SILENT_AGENTS: Final = Figure(
    "kmsg_collector_silent_agents", "gauge", "Agents that said hello before and were not heard of for too long."
)
FORGOTTEN: Final = Figure(
    "kmsg_collector_agents_forgotten_total",
    "counter",
    "Agents forgotten, for having been silent very long or for being too many.",
    ("reason",),
)
MISSING_EVENTS: Final = Figure(
    "kmsg_collector_missing_events", "gauge", "Events that agents have numbered and that never arrived here."
)
STORE_BYTES: Final = Figure("kmsg_collector_store_bytes", "gauge", "Bytes used in the store's file.")
STORE_MAX_BYTES: Final = Figure("kmsg_collector_store_max_bytes", "gauge", "Bytes that events may take on disk.")
OLDEST: Final = Figure(
    "kmsg_collector_oldest_event_timestamp_seconds", "gauge", "Unix time at which the oldest stored event arrived."
)
COMMIT_FAILURES: Final = Figure("kmsg_collector_commit_failures_total", "counter", "Transactions that failed.")
COMMIT_SECONDS: Final = Figure(
    "kmsg_collector_commit_duration_seconds", "histogram", "How long transactions took, until they were on disk."
)
COMMIT_EVENTS: Final = Figure("kmsg_collector_commit_events", "histogram", "How many events one transaction had.")
CONNECTIONS: Final = Figure("kmsg_collector_connections", "gauge", "Connections that are open.")
CLOSED: Final = Figure(
    "kmsg_collector_connections_closed_total", "counter", "Connections that the collector closed.", ("reason",)
)
BUILD_INFO: Final = Figure(
    "kmsg_collector_build_info",
    "gauge",
    "Always 1; the labels say which build this is.",
    ("version", "revision", "pythonversion"),
)
ALL: Final = tuple(value for value in dict(globals()).values() if isinstance(value, Figure))


@dataclass(frozen=True, slots=True)
class _Look:
    """What has to be asked of the store."""

    versions: dict[str, int]
    silent: int
    missing: int
    used_bytes: int
    oldest_unix_ns: int | None


class Figures(Collector):
    """Looks at the store every few seconds at most, however many ask."""

    def __init__(
        self,
        store: Store,
        counts: Counts,
        *,
        silence: Silence,
        max_bytes: int,
        revision: str,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._store = store
        self._counts = counts
        self._silence = silence
        self._max_bytes = max_bytes
        self._revision = revision
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._looked: tuple[float, _Look] | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._registry.register(ProcessCollector(registry=None))

    def render(self) -> bytes:
        """The exposition as text. Raises CollectorError when the store can't be read."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        look, state, counts = self._look(), self._store.state, self._counts
        outcome = state.outcome
        yield _many(REQUESTS, {str(code): number for code, number in counts.requests.copy().items()})
        yield _one(STORED, outcome.stored)
        yield _one(DUPLICATES, outcome.duplicates)
        yield _one(CONFLICTING, outcome.conflicting)
        yield _many(REJECTED, counts.rejected.copy())
        yield _many(EXPIRED, {"age": state.expired_age, "bytes": state.expired_bytes})
        yield _many(AGENTS, look.versions)
        yield _one(SILENT_AGENTS, look.silent)
        yield _many(FORGOTTEN, {"age": state.forgotten_age, "bound": state.forgotten_bound})
        yield _one(MISSING_EVENTS, look.missing)
        yield _one(STORE_BYTES, look.used_bytes)
        yield _one(STORE_MAX_BYTES, self._max_bytes)
        if look.oldest_unix_ns is not None:
            yield _one(OLDEST, look.oldest_unix_ns / _NS)
        yield _one(COMMIT_FAILURES, state.failures)
        yield _histogram(COMMIT_SECONDS, state.commit_seconds)
        yield _histogram(COMMIT_EVENTS, state.commit_events)
        yield _one(CONNECTIONS, counts.connections)
        yield _many(CLOSED, counts.closed.copy())
        build = _family(BUILD_INFO)
        build.add_metric((__version__, self._revision, ".".join(map(str, sys.version_info[:3]))), 1)
        yield build

    def _look(self) -> _Look:
        with self._lock:
            if self._looked is None or time.monotonic() - self._looked[0] >= _LOOK_SECONDS:
                self._looked = time.monotonic(), self._asked()
            return self._looked[1]

    def _asked(self) -> _Look:
        path = self._store.path
        before = self._silence.before_ns(self._clock_ns())
        with (
            explained(f"can't read the collector's store {path}"),
            closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
        ):
            versions = connection.execute(VERSIONS).fetchall()
            (silent,) = connection.execute(SILENT, (before,)).fetchone()
            (missing,) = connection.execute(MISSING).fetchone()
            oldest = connection.execute("SELECT received_unix_ns FROM event ORDER BY seq LIMIT 1").fetchone()
            pages, free, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        shown = dict(versions[:MAX_VERSIONS])
        if len(versions) > MAX_VERSIONS:
            shown["other"] = shown.get("other", 0) + sum(count for _, count in versions[MAX_VERSIONS:])
        return _Look(shown, silent, missing, (pages - free) * size, oldest[0] if oldest else None)


def _family(figure: Figure) -> CounterMetricFamily | GaugeMetricFamily:
    build = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
    return build(figure.name, figure.help, labels=figure.labels)


def _one(figure: Figure, value: float) -> Metric:
    family = _family(figure)
    family.add_metric((), value)
    return family


def _many(figure: Figure, values: dict[str, int]) -> Metric:
    family = _family(figure)
    for label, value in values.items():
        family.add_metric((label,), value)
    return family


def _histogram(figure: Figure, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(
        figure.name, figure.help, buckets=list(histogram.cumulative()), sum_value=histogram.total
    )
