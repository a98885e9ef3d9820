"""Queries that more than one panel or alert is made of."""

from __future__ import annotations

from typing import Final

from board import SELECTED

WHO: Final = "comm, exe, origin, expected"

BY_ORIGIN: Final = f"kmsg_clears_by_origin_total{{{SELECTED}}}"
EMPTIED: Final = f"kmsg_emptied_total{{{SELECTED}}}"
NODES: Final = f"kmsg_exporter_build_info{{{SELECTED}}}"
UP: Final = f"up{{{SELECTED}}}"

# /proc/kmsg and the action read of syslog(2) share one position: who has either takes records from the others.
CONSUMERS: Final = (
    f'kmsg_readers{{{SELECTED}, interface="proc_kmsg"}}'
    f' or rate(kmsg_reads_total{{{SELECTED}, interface="syslog", action="read"}}[$__rate_interval]) > bool 0'
)

NOT_ATTACHED: Final = f"kmsg_exporter_probe_attached{{{SELECTED}}} == 0"
STATE_ONLY: Final = f'kmsg_exporter_backend_info{{{SELECTED}, backend="state"}}'
# Cheap for ten thousand nodes: a number each, no range.
EMPTIED_IN_RANGE: Final = f"kmsg_last_emptied_timestamp_seconds{{{SELECTED}}} > time() - $__range_s"


def lost(window: str) -> str:
    """Trace records lost and calls not recorded in this time, by node."""
    return (
        f"sum without (probe) (increase(kmsg_exporter_trace_lost_events_total{{{SELECTED}}}[{window}])"
        f" or increase(kmsg_exporter_probe_missed_total{{{SELECTED}}}[{window}]))"
    )


def clears_by(labels: str) -> str:
    """How many clears in the dashboard's range."""
    return f"sum by ({labels}) (increase({BY_ORIGIN}[$__range])) > 0"


def first_seen(labels: str) -> str:
    """When a clear was first seen in the range, as milliseconds; to a step of the dashboard."""
    return f"min_over_time({_seen(labels)}) * 1000"


def last_seen(labels: str) -> str:
    """When one was last seen."""
    return f"max_over_time({_seen(labels)}) * 1000"


def _seen(labels: str) -> str:
    return f"timestamp(sum by ({labels}) (increase({BY_ORIGIN}[$__rate_interval])) > 0)[$__range:$__interval]"


def why(query: str, reason: str, source: str = "", pattern: str = "") -> str:
    """The query with a label that says in words what it means."""
    return f'label_replace({query}, "why", "{reason}", "{source}", "{pattern}")'


def count(metric: str, *labels: str) -> str:
    """How many since the bar before, by these labels; rounded, since increase() is worked out from rates."""
    return f"sum{_by(labels)}(round(increase({metric}{{{SELECTED}}}[$__rate_interval])))"


def each(metric: str, *labels: str) -> str:
    """Per second, by these labels."""
    return f"sum{_by(labels)}(rate({metric}{{{SELECTED}}}[$__rate_interval]))"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)}) " if labels else ""
