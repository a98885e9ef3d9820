"""What is exposed: every metric's name, type, labels and help text, in the order they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

Family = CounterMetricFamily | GaugeMetricFamily


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric, as dashboards and alerts know it."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()

    def family(self) -> Family:
        """An empty family to add samples to."""
        build = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        return build(self.name, self.help, labels=self.labels)


def _counter(name: str, text: str, *labels: str) -> Definition:
    return Definition(name, "counter", text, labels)


def _gauge(name: str, text: str, *labels: str) -> Definition:
    return Definition(name, "gauge", text, labels)


CLEARS: Final = _counter("kmsg_clears_total", "Clears of the kernel log that took effect.", "comm", "exe", "action")
CLEARS_BY_ORIGIN: Final = _counter(
    "kmsg_clears_by_origin_total",
    "The same clears, by who ran the program that cleared; expected is true for what the operator declared as known.",
    "comm",
    "exe",
    "origin",
    "expected",
)
CLEARS_DENIED: Final = _counter(
    "kmsg_clears_denied_total", "Clears of the kernel log that the kernel refused.", "comm", "exe", "action"
)
READS: Final = _counter(
    "kmsg_reads_total",
    "Read calls on the kernel log that returned something.",
    "comm",
    "exe",
    "interface",
    "action",
)
READ_BYTES: Final = _counter(
    "kmsg_read_bytes_total",
    "Bytes that read calls on the kernel log returned.",
    "comm",
    "exe",
    "interface",
    "action",
)
OPENS: Final = _counter(
    "kmsg_opens_total", "Opens of /dev/kmsg and /proc/kmsg for reading.", "comm", "exe", "interface"
)
WRITES: Final = _counter("kmsg_writes_total", "Write calls to /dev/kmsg that succeeded.", "comm", "exe")
CONSOLE_CHANGES: Final = _counter(
    "kmsg_console_changes_total", "Times console output was switched or its level set.", "comm", "exe", "action"
)
READERS: Final = _gauge(
    "kmsg_readers", "Processes that hold the kernel log open for reading now.", "comm", "exe", "interface"
)
EMPTY: Final = _gauge("kmsg_empty", "1 while dmesg shows nothing, else 0.")
EMPTIED: Final = _counter("kmsg_emptied_total", "Times dmesg went from something to nothing, however shortly.")
LAST_EMPTIED: Final = _gauge(
    "kmsg_last_emptied_timestamp_seconds", "Unix time at which dmesg last went from something to nothing."
)
UNATTRIBUTED_CLEARS: Final = _counter(
    "kmsg_unattributed_clears_total", "Clears seen on the kernel log that no traced call explains."
)
HIDDEN_RECORDS: Final = _gauge(
    "kmsg_hidden_records", "Records that a clear hides from dmesg and that are still in the ring."
)
RECORDS: Final = _counter("kmsg_records_total", "Records printed to the kernel log since boot.")
OVERWRITTEN_RECORDS: Final = _counter(
    "kmsg_overwritten_records_total", "Records that newer ones pushed out of the ring since boot."
)
BUFFER_BYTES: Final = _gauge("kmsg_buffer_bytes", "Size of the kernel log's ring.")

BUILD_INFO: Final = _gauge(
    "kmsg_exporter_build_info", "Always 1; the labels say which build this is.", "version", "revision", "pythonversion"
)
BACKEND_INFO: Final = _gauge(
    "kmsg_exporter_backend_info", "Always 1; the label says how accesses are traced on this node.", "backend"
)
PROBE_ATTACHED: Final = _gauge(
    "kmsg_exporter_probe_attached", "1 while this probe is in place, 0 while what it would see goes unseen.", "probe"
)
PROBE_HITS: Final = _counter(
    "kmsg_exporter_probe_hits_total", "Times this probe was hit, as the kernel counts.", "probe"
)
PROBE_MISSED: Final = _counter(
    "kmsg_exporter_probe_missed_total", "Calls this probe could not record, as the kernel counts.", "probe"
)
TRACE_LOST_EVENTS: Final = _counter(
    "kmsg_exporter_trace_lost_events_total", "Trace records lost before they could be read, and halves of such calls."
)
ATTRIBUTIONS: Final = _counter(
    "kmsg_exporter_attributions_total",
    "Accesses by where the process behind them was found; none: not at all.",
    "source",
)
SERIES_OVERFLOWED: Final = _counter(
    "kmsg_exporter_series_overflowed_total",
    'Counts that went to comm="other", exe="other" because their metric had reached its bound on names.',
)
PUSH_QUEUE_EVENTS: Final = _gauge("kmsg_exporter_push_queue_events", "Events on disk that still have to be sent.")
PUSH_QUEUE_OLDEST: Final = _gauge(
    "kmsg_exporter_push_queue_oldest_timestamp_seconds", "Unix time of the oldest event that still has to be sent."
)
PUSH_SENT: Final = _counter("kmsg_exporter_push_sent_total", "Events that the collector accepted.")
PUSH_ATTEMPTS: Final = _counter("kmsg_exporter_push_attempts_total", "Requests made to the collector.")
PUSH_FAILURES: Final = _counter(
    "kmsg_exporter_push_failures_total", "Requests to the collector that failed, by reason.", "reason"
)
PUSH_REJECTED: Final = _counter(
    "kmsg_exporter_push_rejected_total", "Events that the collector took and rejected; they are not sent again."
)
PUSH_DROPPED: Final = _counter(
    "kmsg_exporter_push_dropped_total", "Events given up before the collector had them, by reason.", "reason"
)
PUSH_LAST_SUCCESS: Final = _gauge(
    "kmsg_exporter_push_last_success_timestamp_seconds", "Unix time of the last request that the collector accepted."
)
PUSH_SPOOL_DURABLE: Final = _gauge(
    "kmsg_exporter_push_spool_durable",
    "1 while every event is on disk, 0 while the disk refuses and new ones would be lost with the process.",
)
CONFIG_RELOAD_SUCCESSFUL: Final = _gauge(
    "kmsg_exporter_config_last_reload_successful", "Whether the last attempt to read the configuration succeeded."
)
CONFIG_RELOAD_TIMESTAMP: Final = _gauge(
    "kmsg_exporter_config_last_reload_success_timestamp_seconds",
    "Unix time at which the configuration was last read with success.",
)
