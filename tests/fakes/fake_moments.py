"""Moments of a node as `watch` sees them: rsyslogd and journald read, a script clears, somebody hostile looks in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.model import Reader, RingState
from kmsg_exporter.watching.feed import Moment
from kmsg_exporter.watching.snapshot import Key, Snapshot

UNIX = 1_795_427_100.0  # 2026-11-23 09:45:00 UTC
SECOND = 1_000_000_000

RSYSLOGD = ("rsyslogd", "/usr/sbin/rsyslogd")
JOURNALD = ("systemd-journal", "/usr/lib/systemd/systemd-journald")
DMESG = ("dmesg", "/usr/bin/dmesg")
PROBLEMS = ("node-problem-de", "/opt/npd/bin/node-problem-detector")
INTRUDER = ("\x1b[2J\x1b]0;x\x07w\u202en", "/tmp/\u4e16\u754c/\x1b[31mexe")

Done = Mapping[tuple[str, tuple[str, str], tuple[str, ...]], int]

BEFORE: Done = {
    ("reads", RSYSLOGD, ("proc_kmsg", "read")): 340,
    ("bytes", RSYSLOGD, ("proc_kmsg", "read")): 30_000,
    ("reads", JOURNALD, ("dev_kmsg", "read")): 1590,
    ("bytes", JOURNALD, ("dev_kmsg", "read")): 201_000,
    ("writes", JOURNALD, ()): 12,
    ("clears", DMESG, ("clear",)): 2,
    ("reads", PROBLEMS, ("dev_kmsg", "read")): 1593,
    ("denied", INTRUDER, ("clear",)): 3,
}
AFTER: Done = {
    **BEFORE,
    ("reads", RSYSLOGD, ("proc_kmsg", "read")): 355,
    ("bytes", RSYSLOGD, ("proc_kmsg", "read")): 31_200,
    ("reads", JOURNALD, ("dev_kmsg", "read")): 1593,
    ("bytes", JOURNALD, ("dev_kmsg", "read")): 201_380,
    ("clears", DMESG, ("clear",)): 3,
    ("reads", DMESG, ("syslog", "read_all")): 2,
    ("bytes", DMESG, ("syslog", "read_all")): 38_100,
    ("denied", INTRUDER, ("clear",)): 4,
}
READERS = (
    Reader(402, *RSYSLOGD, "proc_kmsg"),
    Reader(311, *JOURNALD, "dev_kmsg"),
    Reader(977, *PROBLEMS, "dev_kmsg"),
)
CLEARED = RingState(
    empty=True,
    hidden_records=1593,
    records_total=1593,
    overwritten_records_total=0,
    buffer_bytes=1 << 18,
    used_bytes=106_496,
)
SAMPLE = (
    "<6>[ 2375.290101] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=payments,pid=123,uid=1000",
    "<3>[ 2375.290812] Memory cgroup out of memory: Killed process 123 (payments) total-vm:44216kB, anon-rss:32432kB",
)


def snapshot(
    done: Done,
    *,
    seconds: float = 0.0,
    life: str = "812 1",
    ring: RingState = CLEARED,
    readers: Sequence[Reader] | None = READERS,
    backend: str = "kprobe",
    emptied: int = 3,
) -> Snapshot:
    return Snapshot(
        life=life,
        taken_ns=int((2700 + seconds) * SECOND),
        ring=ring,
        backend=backend,
        pid=812,
        readers=None if readers is None else tuple(readers),
        counts={Key(what, *name, more): count for (what, name, more), count in done.items()},
        emptied=emptied,
        last_emptied_unix=UNIX - 14.0 if emptied else None,
        unattributed=1,
        last_sequence=emptied,
    )


def emptying(
    sequence: int,
    ago: float,
    *,
    comm: str = "dmesg",
    exe: str = "/usr/bin/dmesg",
    pid: int = 1320,
    ancestors: Sequence[str] = (
        "1318 cleanup.sh /usr/bin/dash",
        "115 cron /usr/sbin/cron",
        "1 systemd /usr/lib/systemd",
    ),
    origin: str = "cleanup.sh",
    hidden: int = 389,
    errors: int = 1,
    coalesced: int = 1,
) -> Emptied:
    who: dict[str, object] = {
        "kmsg.process.comm": comm,
        "process.executable.path": exe,
        "process.pid": pid,
        "kmsg.process.origin": origin,
        "kmsg.process.ancestors": list(ancestors),
    }
    attributes: dict[str, object] = {
        **(who if comm else {"kmsg.since_unix_nano": int((UNIX - ago - 15) * SECOND)}),
        "kmsg.sequence": sequence,
        "kmsg.action": "clear",
        "kmsg.attribution.source": "exec_trace" if comm else "none",
        "kmsg.hidden.records": hidden,
        "kmsg.hidden.first_seq": 1593 - hidden,
        "kmsg.hidden.last_seq": 1592,
        "kmsg.hidden.by_level": {"err": errors, "info": hidden - errors} if errors else {"info": hidden},
        "kmsg.hidden.sample": list(SAMPLE) if errors else [],
        "kmsg.coalesced": coalesced,
    }
    by = f"{comm} ({exe}, pid {pid}) run by {origin} <- cron" if comm else "an unknown process"
    among = f"{errors or 'none'} of them {'an error' if errors == 1 else 'errors'} or worse"
    body = f"dmesg on node-7 was emptied by {by}; {hidden} records are hidden, {among}."
    return Emptied(sequence, UNIX - ago, None, int((UNIX - ago) * SECOND), body, attributes)


EVENTS = (
    emptying(3, 14.0),
    emptying(2, 1812.0, comm="", hidden=17, errors=0),
    emptying(
        1,
        90_000.0,
        comm="logrotate",
        exe="/usr/sbin/logrotate",
        pid=801,
        ancestors=("799 \x1b[31mkmsg \u4e16\u754c /usr/bin/bash", "1 systemd /usr/lib/systemd"),
        origin="\x1b[31mkmsg \u4e16\u754c",
        hidden=1187,
        errors=0,
    ),
)


def moment(*, first: bool = False, notes: tuple[str, ...] = ()) -> Moment:
    """One second after BEFORE; the `first` has nothing to be compared with."""
    return Moment(
        UNIX,
        "the agent (pid 812, kprobe)",
        snapshot(AFTER, seconds=1.0),
        None if first else snapshot(BEFORE),
        EVENTS,
        notes,
    )
