"""What an access, an actor, a log record, an emptying and an observation are: frozen values that the parts hand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Interface = Literal["syslog", "dev_kmsg", "proc_kmsg"]
Operation = Literal["call", "open", "read", "write", "release"]
Source = Literal["procfs", "exec_trace", "fork_trace", "cache", "none"]

SOURCES: Final[tuple[Source, ...]] = ("procfs", "exec_trace", "fork_trace", "cache", "none")

# syslog(2) actions, include/linux/syslog.h
SYSLOG_ACTIONS: Final[Mapping[int, str]] = {
    0: "close",
    1: "open",
    2: "read",
    3: "read_all",
    4: "read_clear",
    5: "clear",
    6: "console_off",
    7: "console_on",
    8: "console_level",
    9: "size_unread",
    10: "size_buffer",
}
CLEARS: Final = frozenset({"clear", "read_clear"})
READS: Final = frozenset({"read", "read_all", "read_clear"})
CONSOLE_CHANGES: Final = frozenset({"console_off", "console_on", "console_level"})
OTHER: Final = "other"  # who has no name of his own in the metrics
LEVELS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


@dataclass(frozen=True, slots=True)
class Access:
    """One call on the kernel log by one thread, as a backend decoded it.

    `time_ns` is CLOCK_BOOTTIME at entry, `tid` is of the initial pid namespace, `comm` is None where the
    backend does not record it, `result` is the call's return value, None where the backend can't tell.
    `action` is a value of SYSLOG_ACTIONS, "read" for reads of the two files, "unknown" where it can't be told.
    `length` is the size of the caller's buffer in bytes, for syslog(2) only.
    """

    time_ns: int
    tid: int
    comm: bytes | None
    interface: Interface
    operation: Operation
    action: str
    result: int | None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """Calls of one thread that the kernel has counted and not recorded, made in (since_ns, until_ns] of CLOCK_BOOTTIME.

    All of them returned something, `nbytes` together; of clears that is not known. `tid` and `comm` are None where
    they can't be told.
    """

    tid: int | None
    comm: bytes | None
    interface: Interface
    operation: Operation
    action: str
    calls: int
    nbytes: int
    since_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class Process:
    """One process of a chain. `exe` is "" when it is not known; `derived` when it was worked out, not read."""

    pid: int
    comm: str
    exe: str
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: the thread's own comm and exe, and the chain above it, nearest first."""

    pid: int
    tid: int
    comm: str
    exe: str
    source: Source
    derived: bool = False
    parent_pid: int | None = None
    user_id: int | None = None
    ancestors: tuple[Process, ...] = ()
    origin: str = ""
    container_id: str | None = None
    pod_uid: str | None = None
    command_args: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record of the kernel log. Fields that the way it was read does not give are None.

    `time_usec` is the printk clock in microseconds since boot, `level` 0 (emerg) to 7 (debug).
    """

    text: str
    seq: int | None = None
    time_usec: int | None = None
    level: int | None = None
    facility: int | None = None


@dataclass(frozen=True, slots=True)
class Hidden:
    """What one emptying hid. `records` is None when it can't be counted (no /dev/kmsg).

    `sample` is in log order; `sample_omitted` counts hidden records that the sample leaves out.
    """

    records: int | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    by_level: Mapping[str, int] = field(default_factory=dict)
    sample: tuple[LogRecord, ...] = ()
    sample_omitted: int = 0


@dataclass(frozen=True, slots=True)
class Emptying:
    """dmesg went from something to nothing. `actor` is None when nobody could be named.

    `since_unix_ns` is set when the moment is only known to lie between it and `time_unix_ns`. `time_boot_ns` is the
    moment on CLOCK_BOOTTIME, which never steps.
    """

    time_unix_ns: int
    hidden: Hidden
    action: str | None = None
    interface: Interface | None = None
    actor: Actor | None = None
    expected: bool = False
    since_unix_ns: int | None = None
    coalesced: int = 1
    actors: tuple[str, ...] = ()
    time_boot_ns: int | None = None


@dataclass(frozen=True, slots=True)
class RingState:
    """The log at one moment; None is "can't be known here", never 0."""

    empty: bool | None = None
    hidden_records: int | None = None
    records_total: int | None = None
    overwritten_records_total: int | None = None
    buffer_bytes: int | None = None
    used_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """A process that holds a descriptor of one interface open for reading now."""

    pid: int
    comm: str
    exe: str
    interface: Interface


@dataclass(frozen=True, slots=True)
class ProbeState:
    """One thing the backend traces. `missed` counts calls the kernel could not record."""

    name: str
    attached: bool
    hits: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class PushState:
    """The queue and the sender, as numbers. Timestamps are Unix seconds, None when it never happened."""

    queue_events: int = 0
    queue_oldest_timestamp_seconds: float | None = None
    sent_total: int = 0
    attempts_total: int = 0
    failures_total: Mapping[str, int] = field(default_factory=dict)
    rejected_total: int = 0
    dropped_total: Mapping[str, int] = field(default_factory=dict)
    last_success_timestamp_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ConfigState:
    """How the configuration was last read again. The time is Unix seconds; the start counts."""

    last_reload_successful: bool
    last_success_timestamp_seconds: float


@dataclass(frozen=True, slots=True)
class Observation:
    """What the agent knows at scrape time beside its totals; replaced whole, never changed."""

    backend: str
    ready: bool
    ring: RingState = RingState()
    readers: tuple[Reader, ...] | None = None
    probes: tuple[ProbeState, ...] = ()
    trace_lost_events_total: int = 0
    attributions_total: Mapping[str, int] = field(default_factory=dict)
    push: PushState | None = None
    spool_durable: bool | None = None
    config: ConfigState | None = None
