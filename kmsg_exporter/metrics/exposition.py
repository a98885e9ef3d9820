"""The totals and the observation as Prometheus reads them."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from kmsg_exporter.metrics import families
from kmsg_exporter.metrics.families import Definition, Family
from kmsg_exporter.metrics.textformat import write_text
from kmsg_exporter.metrics.totals import NameBound, Series, Snapshot, Totals, label_text
from kmsg_exporter.model import SOURCES, Observation, PushState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ALL: Final = tuple(value for value in vars(families).values() if isinstance(value, Definition))

_PROCESS_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class View:
    """All that one answer shows, at one moment.

    `observed` are the labelled counters of the observation; births in it and in `totals` are at most `births`.
    """

    totals: Snapshot
    observation: Observation
    observed: Mapping[Definition, Series]

    @property
    def births(self) -> int:
        """The highest birth of any series in this view."""
        return self.totals.births


class Exposition:
    """Takes views and writes them down."""

    def __init__(self, totals: Totals, *, version: str, revision: str = "unknown", proc: Path = Path("/proc")) -> None:
        self._totals = totals
        self._build = (version, revision, ".".join(map(str, sys.version_info[:3])))
        self._process = ProcessCollector(proc=str(proc), registry=None)
        self._process_text = b""
        self._process_next = 0.0
        self._lock = threading.Lock()
        self._observed_births: dict[tuple[Definition, str], int] = {}

    def view(self, observation: Observation) -> View:
        """What there is to show now. Series of the observation that are new are born here."""
        observed = {
            definition: Series(
                {(label_text(label),): value for label, value in values.items()},
                {(label_text(label),): self._birth(definition, label) for label in values},
            )
            for definition, values in _observed(observation).items()
        }
        return View(self._totals.snapshot(), observation, observed)

    def totals(self) -> Snapshot:
        """The totals alone: nothing is born by looking at them."""
        return self._totals.snapshot()

    def render(self, view: View, *, mark: int | None = None) -> bytes:
        """The exposition as text. Labelled counters born after `mark` are shown at 0; None shows the truth."""
        ours = _View(view, self._build, view.births if mark is None else mark, self._totals.max_pairs)
        return write_text(ours.collect()) + self._about_process()

    def _about_process(self) -> bytes:
        """The process itself, looked at once a second, however many scrape."""
        with self._lock:
            if time.monotonic() >= self._process_next:
                self._process_next = time.monotonic() + _PROCESS_SECONDS
                self._process_text = write_text(self._process.collect())
            return self._process_text

    def _birth(self, definition: Definition, label: str) -> int:
        key = (definition, label)
        with self._lock:
            if key not in self._observed_births:
                self._observed_births[key] = self._totals.next_birth()
            return self._observed_births[key]


def _observed(observation: Observation) -> dict[Definition, Mapping[str, int]]:
    push = observation.push or PushState()
    return {
        families.PROBE_HITS: {probe.name: probe.hits for probe in observation.probes},
        families.PROBE_MISSED: {probe.name: probe.missed for probe in observation.probes},
        families.ATTRIBUTIONS: {source: observation.attributions_total.get(source, 0) for source in SOURCES},
        families.PUSH_FAILURES: push.failures_total,
        families.PUSH_DROPPED: push.dropped_total,
    }


class _View(Collector):
    """One view as a collector. What is not known is not there at all."""

    def __init__(self, view: View, build: tuple[str, str, str], mark: int, max_pairs: int) -> None:
        self._view = view
        self._build = build
        self._mark = mark
        self._max_pairs = max_pairs

    def describe(self) -> Iterable[Family]:
        return [definition.family() for definition in ALL]

    def collect(self) -> Iterator[Family]:
        gauges, numbers, counters = self._labelled_gauges(), self._numbers(), self._labelled_counters()
        for definition in ALL:
            family = definition.family()
            if definition in counters:
                self._add_counters(family, counters[definition])
            elif definition in gauges:
                for labels, value in gauges[definition].items():
                    family.add_metric(labels, value)
            else:
                number = numbers.get(definition)
                if number is None:
                    continue
                family.add_metric((), number)
            yield family

    def _add_counters(self, family: Family, series: Series) -> None:
        births, mark = series.births, self._mark
        for labels, value in series.values.items():
            family.add_metric(labels, 0 if births[labels] > mark else value)

    def _labelled_counters(self) -> dict[Definition, Series]:
        totals = self._view.totals
        return {
            families.CLEARS: totals.clears,
            families.CLEARS_BY_ORIGIN: totals.clears_by_origin,
            families.CLEARS_DENIED: totals.denied,
            families.READS: totals.reads,
            families.READ_BYTES: totals.read_bytes,
            families.OPENS: totals.opens,
            families.WRITES: totals.writes,
            families.CONSOLE_CHANGES: totals.console_changes,
            **self._view.observed,
        }

    def _labelled_gauges(self) -> dict[Definition, Mapping[tuple[str, ...], float]]:
        observation = self._view.observation
        gauges: dict[Definition, Mapping[tuple[str, ...], float]] = {
            families.BUILD_INFO: {tuple(map(label_text, self._build)): 1},
            families.BACKEND_INFO: {(label_text(observation.backend),): 1},
            families.PROBE_ATTACHED: {(label_text(probe.name),): probe.attached for probe in observation.probes},
        }
        if observation.readers is not None:
            bound = NameBound(self._max_pairs)
            gauges[families.READERS] = Counter(
                (*bound.admit((reader.comm, reader.exe)), reader.interface)
                for reader in dict.fromkeys(observation.readers)
            )
        return gauges

    def _numbers(self) -> dict[Definition, float | None]:
        totals, observation, ring = self._view.totals, self._view.observation, self._view.observation.ring
        queue, push, config = observation.push, observation.push or PushState(), observation.config
        return {
            families.EMPTY: ring.empty,
            families.EMPTIED: totals.emptied,
            families.LAST_EMPTIED: totals.last_emptied_timestamp_seconds,
            families.UNATTRIBUTED_CLEARS: totals.unattributed_clears,
            families.HIDDEN_RECORDS: ring.hidden_records,
            families.RECORDS: ring.records_total,
            families.OVERWRITTEN_RECORDS: ring.overwritten_records_total,
            families.BUFFER_BYTES: ring.buffer_bytes,
            families.TRACE_LOST_EVENTS: observation.trace_lost_events_total,
            families.SERIES_OVERFLOWED: totals.series_overflowed,
            families.PUSH_QUEUE_EVENTS: None if queue is None else queue.queue_events,
            families.PUSH_QUEUE_OLDEST: push.queue_oldest_timestamp_seconds,
            families.PUSH_SENT: push.sent_total,
            families.PUSH_ATTEMPTS: push.attempts_total,
            families.PUSH_REJECTED: push.rejected_total,
            families.PUSH_LAST_SUCCESS: push.last_success_timestamp_seconds,
            families.PUSH_SPOOL_DURABLE: observation.spool_durable,
            families.CONFIG_RELOAD_SUCCESSFUL: None if config is None else config.last_reload_successful,
            families.CONFIG_RELOAD_TIMESTAMP: None if config is None else config.last_success_timestamp_seconds,
        }
