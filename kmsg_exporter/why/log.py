"""The log itself: empty, hidden by a clear, overwritten, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.errors import KmsgExporterError, RingUnavailable
from kmsg_exporter.ring.record import parse_line
from kmsg_exporter.ring.syslog import buffer_bytes, read_all
from kmsg_exporter.why import finding, moment
from kmsg_exporter.why.clocks import Clocks
from kmsg_exporter.why.finding import Finding
from kmsg_exporter.why.kmsg import Record, Ring, read_ring
from kmsg_exporter.why.telling import Told, is_explained

_SHOWN: Final = 3  # emptyings
_RECOVER: Final = "kmsg-exporter recover, as root on the host, prints what is hidden"


@dataclass(frozen=True, slots=True)
class Log:
    """What could be read. Without /dev/kmsg `ring` is None and `records` what dmesg shows, None when nothing could."""

    ring: Ring | None
    records: tuple[Record, ...] | None
    why_not: str = ""
    size_bytes: int | None = None


def read_log(device: Path) -> Log:
    """By /dev/kmsg, else by syslog(2), which sees only what dmesg shows."""
    size = buffer_bytes()
    try:
        ring = read_ring(device)
    except RingUnavailable as exc:
        try:
            lines = read_all(max(size or 0, 1 << 16)).splitlines()
        except KmsgExporterError as second:
            return Log(None, None, f"{exc}; {second}", size)
        return Log(None, tuple(map(_of_line, lines)), str(exc), size)
    return Log(ring, ring.records, size_bytes=size)


def _of_line(line: bytes) -> Record:
    record = parse_line(line)
    priority = None if record.level is None else (record.facility or 0) << 3 | record.level
    return Record(record.text.encode(errors="replace"), record.time_usec, priority)


def findings(log: Log, told: Told, *, restricted: bool | None, clocks: Clocks) -> list[Finding]:
    """`restricted` is kernel.dmesg_restrict."""
    if log.records is None:
        return [_refused(log, restricted)]
    found = []
    if log.ring is None:
        found.append(
            Finding(
                "unseen",
                finding.HIDDEN,
                "whether a clear hides records can't be seen here",
                (log.why_not,),
                "run it as root on the node's host",
            )
        )
        if told.past:
            found.append(_cleared_unseen(log.records, told.past))
        elif not log.records:
            what = "dmesg shows nothing: most likely a clear hides it"
            found.append(Finding("cause", finding.HIDDEN, what, (), _RECOVER))
        return found
    ring = log.ring
    if ring.hidden:
        found.append(_hidden(ring, told, clocks))
    elif told.past:
        found.append(_overcome(told.past))
    elif not ring.records:
        found.append(Finding("note", finding.HIDDEN, "the log is empty: nothing was printed since the boot"))
    if ring.oldest:
        found.append(_overwritten(ring, log.size_bytes, clocks))
    return found


def _refused(log: Log, restricted: bool | None) -> Finding:
    if restricted:
        what = "dmesg is refused to this user: kernel.dmesg_restrict is 1, and CAP_SYSLOG is missing"
        return Finding("cause", finding.REFUSED, what, (log.why_not,), "run dmesg, and this, as root")
    what = "the log can't be read here: neither /dev/kmsg nor syslog(2)"
    return Finding("cause", finding.REFUSED, what, (log.why_not,), "run it as root on the host, or add CAP_SYSLOG")


def _cleared_unseen(records: Sequence[Record], past: Sequence[Emptied]) -> Finding:
    shown = f"only the {_count(len(records), 'record')} after it" if records else "nothing"
    what = f"the log was cleared in this boot: dmesg shows {shown}"
    return Finding("cause", finding.HIDDEN, what, _history(past), _RECOVER)


def _overcome(past: Sequence[Emptied]) -> Finding:
    times = "once," if len(past) == 1 else f"{len(past)} times, last"
    what = f"the log was emptied {times} {moment.local(past[0].time_unix_ns / 1e9)}, in this boot; what that hid is "
    return Finding("note", finding.HIDDEN, what + "overwritten since", _history(past))


def _history(past: Sequence[Emptied], *, shown: Sequence[Emptied] | None = None, mark: str = "") -> tuple[str, ...]:
    """The newest of those to be `shown`, and how many more there are in this boot."""
    lines = [f"{mark}{line_of(event)}" for event in (past if shown is None else shown)[:_SHOWN]]
    if len(past) > len(lines):
        lines.append(f"and {len(past) - len(lines)} more in this boot: kmsg-exporter history")
    return tuple(lines)


def _hidden(ring: Ring, told: Told, clocks: Clocks) -> Finding:
    hidden, visible, past = ring.hidden, ring.visible, told.past or ()
    shown = "dmesg shows nothing" if not visible else f"dmesg shows only the {len(visible)} after it"
    what = f"a clear hides {_count(len(hidden), 'record')}: {shown}"
    evidence = [f"/dev/kmsg: records {hidden[0].seq} to {hidden[-1].seq} are in the ring, dmesg starts at "]
    evidence[0] += f"{ring.visible_from}"
    # the newest clear is the one that hides; those before it hid what is in the ring as well
    by = [event for event in past if _reaches(event, ring.oldest)]
    explained = is_explained(ring, by)
    if not explained:
        after = moment.local(clocks.first(hidden[-1].usec))
        before = moment.local(clocks.last(visible[0].usec) if visible else clocks.unix)
        evidence.append(
            f"cleared at some time between {after} (the last hidden record) and {before} "
            + ("(the first visible one)" if visible else "(now)")
        )
        evidence.append(_unknown(told))
    evidence += _history(past, shown=by, mark="" if explained else "earlier: ")
    return Finding("cause", finding.HIDDEN, what, tuple(evidence), "kmsg-exporter recover prints them")


def _unknown(told: Told) -> str:
    if told.more:
        return "by whom is not known yet: the running agent has not told it: ask again in a moment"
    if told.past is None:
        return "by whom is not known: no agent ran then; while it runs it names who clears"
    return "by whom is not known: the agent's history has no such emptying"


def _reaches(event: Emptied, oldest: int) -> bool:
    last = event.number("kmsg.hidden.last_seq")
    return last is None or last >= oldest


def line_of(event: Emptied) -> str:
    """E.g. `2026-11-23 09:39:41 dmesg (/usr/bin/dmesg, pid 132) run by cleanup.sh <- cron hid 389 records`."""
    comm, exe, pid = event.text("kmsg.process.comm"), event.text("process.executable.path"), event.number("process.pid")
    who = "an unknown process"
    if comm:
        who = f"{comm} ({exe + ', ' if exe else ''}pid {pid})" + (f" run by {event.chain}" if event.chain else "")
    since, until = event.number("kmsg.since_unix_nano"), moment.local(event.time_unix_ns / 1e9)
    when = until if since is None else f"between {moment.local(since / 1e9)} and {until}"
    container = event.text("kmsg.process.container.id")
    hidden = event.number("kmsg.hidden.records")
    return (
        f"{when}  {who}"
        + (f" in container {container[:12]}" if container else "")
        + ("" if hidden is None else f" hid {_count(hidden, 'record')}")
        + (f", {_count(event.errors, 'error')} or worse among them" if event.errors else "")
        + f" (history: {event.sequence})"
    )


def _overwritten(ring: Ring, size_bytes: int | None, clocks: Clocks) -> Finding:
    first = ring.records[0].usec if ring.records else None
    evidence = [f"/dev/kmsg: the oldest record in the ring is number {ring.oldest}"]
    if first is not None:
        evidence.append(f"its time is {clocks.told(first)}, {first // 1_000_000} s after the boot")
    if size_bytes:
        evidence.append(f"the ring has {size_bytes >> 10} KiB")
    what = f"the first {_count(ring.oldest, 'record')} of this boot were overwritten by later ones"
    remedy = "a larger ring: log_buf_len=4M on the kernel's command line; what was lost may be in the journal"
    return Finding("note", finding.OVERWRITTEN, what, tuple(evidence), remedy)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
