"""What an agent shows on four kinds of node: one at rest, an ordinary one, and two at the bound on names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from typing import Final

from kmsg_exporter.metrics.totals import DEFAULT_MAX_PAIRS, Totals
from kmsg_exporter.model import SOURCES, ConfigState, Interface, Observation, ProbeState, PushState, Reader, RingState
from kmsg_exporter.push.fault import REASONS

PROBES: Final = {
    "kprobe": (
        *("syslog_enter", "syslog_exit", "syslog32_enter", "syslog32_exit"),
        *("devkmsg_open", "devkmsg_open_exit", "devkmsg_read", "devkmsg_release", "devkmsg_write"),
        *("kmsg_open", "kmsg_open_exit", "kmsg_read", "kmsg_release"),
    ),
    "tracepoint": ("syslog_enter", "syslog_exit", "openat_hint"),
}
READS: Final[tuple[tuple[Interface, str], ...]] = (
    ("dev_kmsg", "read"),
    ("proc_kmsg", "read"),
    ("syslog", "read"),
    ("syslog", "read_all"),
    ("syslog", "read_clear"),
)
CLEARS: Final = ("clear", "read_clear")
CONSOLE: Final = ("console_off", "console_on", "console_level")
FILES: Final[tuple[Interface, ...]] = ("dev_kmsg", "proc_kmsg")

# Who holds the log open on an ordinary node of a cluster. Comms are as the kernel cuts them.
HOLDERS: Final[tuple[tuple[str, str, Interface], ...]] = (
    ("systemd-journal", "/usr/lib/systemd/systemd-journald", "dev_kmsg"),
    ("in:imklog", "/usr/sbin/rsyslogd", "proc_kmsg"),
    ("kubelet", "/usr/bin/kubelet", "dev_kmsg"),
    ("node-problem-de", "/home/kubernetes/bin/node-problem-detector", "dev_kmsg"),
)
DMESG: Final = ("dmesg", "/usr/bin/dmesg")
_SEEN_UNIX: Final = 1_795_440_042.525504


@dataclass(frozen=True, slots=True)
class Node:
    """What the web server of its agent is given."""

    totals: Totals
    observation: Observation


def at_rest(backend: str = "kprobe", *, readers: int = 0) -> Node:
    """Nothing was cleared or read since the agent started; `readers` programs hold /dev/kmsg open."""
    held = tuple(Reader(pid, *_name(pid), "dev_kmsg") for pid in range(readers))
    return Node(Totals(), _observation(backend, held))


def ordinary() -> Node:
    """Six programs use the log: four hold it open, systemd writes to it, dmesg reads it and has cleared it once."""
    totals = Totals()
    for comm, exe, interface in HOLDERS:
        totals.open(comm, exe, interface)
        totals.read(comm, exe, interface, "read", calls=4211, nbytes=412_877)
    totals.open(*DMESG, "dev_kmsg")
    totals.read(*DMESG, "dev_kmsg", "read", calls=355, nbytes=31_544)
    totals.clear(*DMESG, "clear", origin="nightly-ci.sh", expected=True)
    totals.emptied(_SEEN_UNIX)
    totals.write("systemd", "/usr/lib/systemd/systemd", calls=312)
    held = tuple(Reader(pid, *holder) for pid, holder in enumerate(HOLDERS))
    return Node(totals, _observation("kprobe", held, pushed=True))


def at_bound(*, every_way: bool, max_pairs: int = DEFAULT_MAX_PAIRS) -> Node:
    """More long names than there is room for, in each family: each used in one way, or in every way there is."""
    ways = None if every_way else 1
    totals = Totals(max_pairs)
    readers = []
    for number in range(max_pairs + 100):
        comm, exe = _name(number)
        for action, expected in product(CLEARS[:ways], (True, False)[:ways]):
            totals.clear(comm, exe, action, origin=comm[::-1], expected=expected)
        for action in CLEARS[:ways]:
            totals.denied(comm, exe, action)
        for interface, action in READS[:ways]:
            totals.read(comm, exe, interface, action, calls=4211, nbytes=412_877)
        for interface in FILES[:ways]:
            totals.open(comm, exe, interface)
            readers.append(Reader(number, comm, exe, interface))
        for action in CONSOLE[:ways]:
            totals.console_change(comm, exe, action)
        totals.write(comm, exe)
    totals.emptied(_SEEN_UNIX)
    return Node(totals, _observation("kprobe", readers, pushed=True))


def _name(number: int) -> tuple[str, str]:
    """A comm as long as comms get and a path of 80 characters; names with digits in order would pack too well."""
    varied = sha256(str(number).encode()).hexdigest()
    return f"job-{varied[:11]}", f"/opt/acme/node-agents/releases/2026.11/libexec/housekeeping/{varied[11:31]}"


def _observation(backend: str, readers: Iterable[Reader], *, pushed: bool = False) -> Observation:
    sent = int(pushed)
    return Observation(
        backend=backend,
        ready=True,
        ring=RingState(
            empty=False, hidden_records=2887, records_total=48_459, overwritten_records_total=45_572, buffer_bytes=2**18
        ),
        readers=tuple(readers),
        probes=tuple(ProbeState(name, attached=True, hits=4211) for name in PROBES[backend]),
        attributions_total=dict.fromkeys(SOURCES, 0),
        push=PushState(
            sent_total=sent,
            attempts_total=sent,
            failures_total=dict.fromkeys((*REASONS, "spool", "internal"), 0),
            dropped_total={"spool_full": 0, "spool_corrupt": 0, "refused": 0},
            last_success_timestamp_seconds=_SEEN_UNIX if pushed else None,
        ),
        spool_durable=True,
        config=ConfigState(last_reload_successful=True, last_success_timestamp_seconds=_SEEN_UNIX),
    )
