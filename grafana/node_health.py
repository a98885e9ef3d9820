"""The agent's own health, on the dashboard "Node"."""

from __future__ import annotations

from board import SELECTED, Row
from panels import chart, over_time, timeline, words
from queries import count

ATTACHED = words({0: ("not attached", "red"), 1: ("attached", "green")})


def health() -> Row:
    """The row at the end of the dashboard."""
    return Row(
        "The agent's health",
        [
            timeline(
                "Probes",
                "What is attached; what a probe that is not attached would see goes unseen.",
                over_time(f"kmsg_exporter_probe_attached{{{SELECTED}}}", "{{probe}}"),
                ATTACHED,
                none="Nothing is traced on this node",
                height=8,
            ),
            chart(
                "Where actors were found",
                "Accesses by where the process behind them was found; none: not at all.",
                [over_time(count("kmsg_exporter_attributions_total", "source"), "{{source}}")],
                bars=True,
            ),
            chart(
                "Lost over time",
                "Trace records lost before they could be read, calls that a probe could not record, and counts that"
                ' went to comm="other" because the bound on names was reached.',
                [
                    over_time(count("kmsg_exporter_trace_lost_events_total"), "lost records"),
                    over_time(count("kmsg_exporter_probe_missed_total"), "missed calls"),
                    over_time(count("kmsg_exporter_series_overflowed_total"), "counted as other"),
                ],
                bars=True,
            ),
            chart(
                "Events that wait",
                "Events on this node's disk that the collector does not have yet.",
                [over_time(f"kmsg_exporter_push_queue_events{{{SELECTED}}}", "waiting")],
                none="This agent has nowhere to push to",
            ),
            chart(
                "Deliveries",
                "Events that the collector accepted or rejected, or that were given up, and requests that failed; each"
                " bar since the bar before.",
                [
                    over_time(count("kmsg_exporter_push_sent_total"), "accepted"),
                    over_time(count("kmsg_exporter_push_rejected_total"), "rejected"),
                    over_time(count("kmsg_exporter_push_dropped_total", "reason"), "given up: {{reason}}"),
                    over_time(
                        f"{count('kmsg_exporter_push_failures_total', 'reason')} > 0", "request failed: {{reason}}"
                    ),
                ],
                bars=True,
                none="This agent has nowhere to push to",
            ),
            chart(
                "Processor time",
                "Of one core.",
                [over_time(f"rate(process_cpu_seconds_total{{{SELECTED}}}[$__rate_interval])", "agent")],
                unit="percentunit",
                width=6,
            ),
            chart(
                "Memory",
                "What the agent holds in memory.",
                [over_time(f"process_resident_memory_bytes{{{SELECTED}}}", "agent")],
                unit="bytes",
                width=6,
            ),
        ],
    )
