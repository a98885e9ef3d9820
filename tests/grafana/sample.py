"""A day of a fleet that there is not, as OpenMetrics: what the pictures in docs/ are drawn from."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

HOURS = 24
STEP_SECONDS = 60
SHELLS = "/usr/bin/dmesg"
PROBES = ("syslog_enter", "syslog_exit", "devkmsg_open", "devkmsg_read", "devkmsg_write", "kmsg_open", "kmsg_read")


@dataclass(frozen=True)
class Habit:
    """A script that clears: at which minutes of the day, and whether the operator knows it."""

    origin: str
    comm: str
    exe: str
    expected: bool
    minutes: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One node of the sample, and what is peculiar about it."""

    name: str
    backend: str = "kprobe"
    habits: tuple[Habit, ...] = ()
    readers: tuple[tuple[str, str, str], ...] = (("systemd-journal", "/usr/lib/systemd/systemd-journald", "dev_kmsg"),)
    detached: tuple[str, ...] = ()
    down_from: int = HOURS * 60 + 1
    unattributed: tuple[int, ...] = ()
    collector_lost: tuple[int, int] = (0, 0)
    refused: tuple[int, ...] = ()
    ring_bytes: int = 262144


NIGHTLY = Habit("nightly-ci.sh", "dmesg", SHELLS, True, tuple(range(70, 1440, 240)))
CLEANUP = Habit("cleanup.sh", "dmesg", SHELLS, False, (431, 611, 702, 798, 1107, 1251, 1388))
INSTALLER = Habit("vendor-setup", "busybox", "/bin/busybox", False, (935, 941))
RSYSLOG = ("rsyslogd", "/usr/sbin/rsyslogd", "proc_kmsg")
KLOGD = ("klogd", "/sbin/klogd", "proc_kmsg")
JOURNAL = Node("x").readers

FLEET = (
    Node("build-1", habits=(NIGHTLY,)),
    Node("build-2", habits=(NIGHTLY,)),
    Node("db-1", readers=(*JOURNAL, RSYSLOG)),
    Node("db-2", readers=(*JOURNAL, RSYSLOG), unattributed=(1010,), backend="tracepoint"),
    Node("edge-1", readers=(RSYSLOG, KLOGD), habits=(INSTALLER,)),
    Node("edge-2", readers=(RSYSLOG,), down_from=1290),
    Node("gpu-1", habits=(CLEANUP,), refused=(433, 1110), collector_lost=(690, 830), readers=(*JOURNAL, RSYSLOG)),
    Node("gpu-2", detached=("devkmsg_write",)),
    Node("talos-1", backend="state", readers=()),
    *(Node(f"web-{number}") for number in range(1, 8)),
)


@dataclass
class _Log:
    """One node's numbers as the day goes by."""

    node: Node
    noise: random.Random
    records: float = 2400.0
    overwritten: float = 0.0
    hidden: float = 0.0
    empty: int = 0
    emptied: int = 0
    last_emptied: float | None = None
    waiting: int = 0
    sent: int = 0
    failures: int = 0
    attempts: int = 0
    clears: dict[Habit, int] = field(default_factory=dict)

    def minute(self, number: int, now: float) -> None:
        burst = 40 * math.exp(-(((number - 690) % 1440) / 60)) if self.node.name == "gpu-1" else 0.0
        printed = self.noise.choice((0, 0, 1, 1, 2, 5)) + round(burst * self.noise.random())
        self.records += printed
        pushed = max(0.0, self.records - self.overwritten - 3900)
        self.overwritten += pushed
        self.hidden = max(0.0, self.hidden - pushed)
        self.empty = 0 if printed else self.empty
        for habit in self.node.habits:
            if number in habit.minutes:
                self.clears[habit] = self.clears.get(habit, 0) + 1
                self._go_empty(now)
        if number in self.node.unattributed:
            self._go_empty(now)
        self._push(number)

    def _go_empty(self, now: float) -> None:
        self.hidden = self.records - self.overwritten
        self.empty, self.emptied, self.last_emptied = 1, self.emptied + 1, now - 20
        self.waiting += 1

    def _push(self, number: int) -> None:
        first, last = self.node.collector_lost
        if self.waiting and first <= number < last:
            self.attempts, self.failures = self.attempts + 2, self.failures + 2
        elif self.waiting:
            self.attempts, self.sent, self.waiting = self.attempts + 1, self.sent + self.waiting, 0

    def samples(self, number: int) -> Iterator[tuple[str, str, float]]:
        """Metric, labels, value."""
        node, traced = self.node, self.node.backend != "state"
        yield "up", "", 1
        yield "kmsg_exporter_build_info", 'version="0.4.0"', 1
        yield "kmsg_exporter_backend_info", f'backend="{node.backend}"', 1
        yield "kmsg_empty", "", self.empty
        yield "kmsg_emptied_total", "", self.emptied
        if self.last_emptied:
            yield "kmsg_last_emptied_timestamp_seconds", "", self.last_emptied
        yield "kmsg_hidden_records", "", self.hidden
        yield "kmsg_records_total", "", self.records
        yield "kmsg_overwritten_records_total", "", self.overwritten
        yield "kmsg_buffer_bytes", "", node.ring_bytes
        yield "kmsg_unattributed_clears_total", "", sum(at <= number for at in node.unattributed)
        for habit in node.habits:
            who, expected = f'comm="{habit.comm}",exe="{habit.exe}"', str(habit.expected).lower()
            count = self.clears.get(habit, 0)
            yield "kmsg_clears_total", f'{who},action="clear"', count
            yield "kmsg_clears_by_origin_total", f'{who},origin="{habit.origin}",expected="{expected}"', count
        if node.refused:
            who = 'comm="python3",exe="/usr/bin/python3.11",action="clear"'
            yield "kmsg_clears_denied_total", who, sum(at <= number for at in node.refused)
            who = 'comm="dmesg",exe="/usr/bin/dmesg",action="console_level"'
            yield "kmsg_console_changes_total", who, int(number > 430)
        for comm, exe, interface in node.readers:
            who = f'comm="{comm}",exe="{exe}",interface="{interface}"'
            yield "kmsg_readers", who, 1
            yield "kmsg_reads_total", f'{who},action="read"', self.records
            yield "kmsg_read_bytes_total", f'{who},action="read"', self.records * 96
        if node.backend == "kprobe":
            who = 'comm="dmesg",exe="/usr/bin/dmesg",interface="dev_kmsg"'
            yield "kmsg_opens_total", who, number // 47
            yield "kmsg_writes_total", 'comm="systemd",exe="/usr/lib/systemd/systemd"', number // 11
        if traced:
            for probe in PROBES:
                yield "kmsg_exporter_probe_attached", f'probe="{probe}"', probe not in node.detached
                yield "kmsg_exporter_probe_missed_total", f'probe="{probe}"', 0
        yield "kmsg_exporter_trace_lost_events_total", "", 0
        yield "kmsg_exporter_series_overflowed_total", "", 0
        for source, share in (("procfs", 0.2), ("exec_trace", 0.1), ("cache", 0.7), ("none", 0.0)):
            yield "kmsg_exporter_attributions_total", f'source="{source}"', round(self.records * share) if traced else 0
        yield "kmsg_exporter_push_queue_events", "", self.waiting
        yield "kmsg_exporter_push_sent_total", "", self.sent
        yield "kmsg_exporter_push_attempts_total", "", self.attempts
        yield "kmsg_exporter_push_rejected_total", "", 0
        yield "kmsg_exporter_push_failures_total", 'reason="timeout"', self.failures
        yield "kmsg_exporter_push_dropped_total", 'reason="spool_full"', 0
        yield "process_cpu_seconds_total", "", number * 0.05 + 2 * math.sin(number / 90)
        yield "process_resident_memory_bytes", "", 33_000_000 + 400_000 * math.sin(number / 200) + number * 300


def openmetrics(end: float) -> str:
    """The day that ends then."""
    series: dict[str, dict[str, list[str]]] = {}
    for index, node in enumerate(FLEET):
        log = _Log(node, random.Random(index))
        target = f'cluster="prod",job="kmsg-exporter",instance="10.0.0.{index + 10}:10144",node="{node.name}"'
        for number in range(HOURS * 60 + 1):
            at = end - (HOURS * 60 - number) * STEP_SECONDS
            log.minute(number, at)
            samples = [("up", "", 0.0)] if number >= node.down_from else log.samples(number)
            for name, labels, value in samples:
                line = f"{name}{{{target}{',' if labels else ''}{labels}}}"
                series.setdefault(name, {}).setdefault(line, []).append(f"{line} {float(value)} {at:.0f}")
    blocks = []
    for name, lines in series.items():
        blocks.append(f"# TYPE {name} unknown")
        blocks += [sample for samples in lines.values() for sample in samples]
    return "\n".join([*blocks, "# EOF", ""])
