"""Labels that a process chose: bounded, and the text says to Prometheus' own parser what was counted."""

from __future__ import annotations

from collections.abc import Mapping

import atheris
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector, CollectorRegistry
from target import Target

from kmsg_exporter.metrics.families import CLEARS
from kmsg_exporter.metrics.textformat import write_text
from kmsg_exporter.metrics.totals import Totals, label_text

_MAX_PAIRS = 4


class _Given(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> list[Metric]:
        return [self._family]


def one(data: bytes) -> None:
    fed = atheris.FuzzedDataProvider(data)
    totals = Totals(max_pairs=_MAX_PAIRS)
    counted = fed.ConsumeIntInRange(0, 9)
    for _ in range(counted):
        comm, exe = (fed.ConsumeUnicode(16) for _ in range(2))
        totals.clear(comm, exe, "clear", origin="", expected=False)
    values = totals.snapshot().clears.values
    assert len(values) <= _MAX_PAIRS
    assert sum(values.values()) == counted
    family = CLEARS.family()
    for labels, value in values.items():
        assert all(label == label_text(label) for label in labels)
        family.add_metric(labels, value)
    text = write_text([family])
    registry = CollectorRegistry()
    registry.register(_Given(family))
    assert text == generate_latest(registry)
    if not any("\r" in "".join(labels) or "\x00" in "".join(labels) for labels in values):
        _check_parsed(text.decode(), values)


def _check_parsed(text: str, values: Mapping[tuple[str, ...], int]) -> None:
    samples = [sample for one in text_string_to_metric_families(text) for sample in one.samples]
    assert {tuple(sample.labels[name] for name in CLEARS.labels): int(sample.value) for sample in samples} == dict(
        values
    )


TARGET = Target(one, seeds=(bytes(40), bytes(range(256)), b'\\"\n\x80' * 30), max_bytes=300)
