"""What both the screen and the lines say, and how: numbers, the log's state, an emptying."""

from __future__ import annotations

import time
from typing import Final

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.model import LEVELS, RingState
from kmsg_exporter.watching.feed import Moment
from kmsg_exporter.watching.snapshot import Snapshot
from kmsg_exporter.watching.users import Count, User
from kmsg_exporter.why import moment

_UNITS: Final = ("", "K", "M", "G", "T")
_DAY: Final = 86400
NOUNS: Final = {
    "clears": "clears",
    "denied": "refused clears",
    "reads": "reads",
    "bytes": "bytes read",
    "opens": "opens",
    "writes": "writes",
    "console": "console changes",
}
INTERFACES: Final = {"syslog": "syslog(2)", "dev_kmsg": "/dev/kmsg", "proc_kmsg": "/proc/kmsg"}
_SHORT_INTERFACES: Final = {"dev_kmsg": "/dev", "proc_kmsg": "/proc"}
# a word of what a backend sees, by family: what it does not see is not 0
SEEN_BY: Final = {
    "clears": ("kprobe", "tracepoint", "function"),
    "denied": ("kprobe", "tracepoint"),
    "reads": ("kprobe", "tracepoint"),
    "bytes": ("kprobe", "tracepoint"),
    "opens": ("kprobe",),
    "writes": ("kprobe",),
    "console": ("kprobe", "tracepoint"),
}


def number(value: float) -> str:
    """At most five columns: `0`, `0.3`, `12.0`, `355`, `1.2K`, `35M`."""
    if isinstance(value, int) and value < 1000:
        return str(value)
    if value < 999.5:
        return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
    power = 0
    while value >= 999.5 and power < len(_UNITS) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.1f}{_UNITS[power]}" if value < 9.95 else f"{value:.0f}{_UNITS[power]}"


def rate(count: Count) -> str:
    """A second; `-` before there are two snapshots to compare."""
    if count.rate is None:
        return "-"
    return "0" if not count.rate else "0.1" if count.rate < 0.1 else number(count.rate)


def seen(snapshot: Snapshot | None, family: str) -> bool:
    return snapshot is not None and snapshot.backend in SEEN_BY[family]


def log_state(now: Snapshot) -> str:
    """E.g. `EMPTY, 389 records hidden`."""
    ring = now.ring
    if ring.empty is None:
        return "its state is not known"
    hidden = "" if ring.hidden_records is None else f"{many(ring.hidden_records, 'record')} hidden"
    if ring.empty:
        return f"EMPTY, {hidden or 'how many records are hidden is not known'}"
    return f"not empty, {hidden}" if ring.hidden_records else "not empty, nothing hidden" if hidden else "not empty"


def fill(ring: RingState) -> str:
    """E.g. `1593 records, 104 of 256 KiB (41%)`; one that overwrites is full: `1593 records, 256 KiB full, 9 gone`."""
    parts = []
    if ring.records_total is not None and ring.overwritten_records_total is not None:
        parts.append(many(ring.records_total - ring.overwritten_records_total, "record"))
    if ring.overwritten_records_total and ring.buffer_bytes:
        parts.append(f"{ring.buffer_bytes >> 10} KiB full, {ring.overwritten_records_total} overwritten")
    elif (used := share(ring)) is not None and ring.used_bytes is not None and ring.buffer_bytes:
        parts.append(f"{ring.used_bytes >> 10} of {ring.buffer_bytes >> 10} KiB ({used:.0%})")
    elif ring.buffer_bytes:
        parts.append(f"{ring.buffer_bytes >> 10} KiB")
    return ", ".join(parts) or "how full it is can't be seen here"


def share(ring: RingState) -> float | None:
    """How much of the ring is used, of 1."""
    if ring.used_bytes is None or not ring.buffer_bytes:
        return None
    return ring.used_bytes / ring.buffer_bytes


def emptied(now: Snapshot, unix: float) -> str:
    """E.g. `emptied 3 times, last 09:39:41, 1 of them by nobody known`."""
    if not now.emptied:
        return "not emptied since this is watched"
    text = f"emptied {'once' if now.emptied == 1 else f'{now.emptied} times'}"
    unseen = now.unattributed >= now.emptied
    if now.last_emptied_unix is not None:
        at = ("at" if now.emptied == 1 else "last") if not unseen else "found at"
        text += f", {at} {clock(now.last_emptied_unix, unix)}"
    if unseen:
        return f"{text}, by nobody known"
    return text + (f", {number(now.unattributed)} of them by nobody known" if now.unattributed else "")


def who(event: Emptied) -> str:
    comm, pid = event.text("kmsg.process.comm"), event.number("process.pid")
    name = f"{comm}[{pid}]" if comm else "unknown"
    count = event.number("kmsg.coalesced") or 1
    return name if count < 2 else f"{name} and {count - 1} more"


def hid(event: Emptied) -> str:
    """E.g. `389 hidden, 1 error`."""
    hidden = event.number("kmsg.hidden.records")
    text = "? hidden" if hidden is None else f"{hidden} hidden"
    return f"{text}, {many(event.errors, 'error')}" if event.errors else text


def holds(user: User) -> str:
    """E.g. `/dev /proc`: which of the two files it holds open for reading."""
    return " ".join(_SHORT_INTERFACES.get(interface, interface) for interface in sorted(user.holds))


def levels(event: Emptied) -> str:
    counts = event.attributes.get("kmsg.hidden.by_level")
    if not isinstance(counts, dict):
        return ""
    return ", ".join(f"{counts[level]} {level}" for level in LEVELS if isinstance(counts.get(level), int))


def clock(unix: float, now_unix: float) -> str:
    """The time of day, with the date where it was not lately."""
    text = moment.local(unix)
    return text[11:] if abs(now_unix - unix) < _DAY / 2 else text


def stamp(unix: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(unix))


def many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def about(shown: Moment) -> str:
    """What this source does not see, or has lost; "" when that is nothing."""
    now = shown.snapshot
    if now is None:
        return ""
    parts = []
    if not now.ready and now.backend:
        parts.append("somebody took away what was attached: what happens now is not seen")
    if now.lost_events:
        parts.append(f"{many(now.lost_events, 'trace record')} lost")
    if now.left_out:
        parts.append(f"{many(now.left_out, 'less busy user')} left out")
    if now.backend and now.unseen:
        parts.append(f"{now.backend} does not see: {'; '.join(now.unseen)}")
    return "; ".join(parts)
