"""The log itself: empty, hidden by a clear, overwritten, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.errors import KmsgExporterError, RingUnavailable
from kmsg_exporter.ring.record import parse_line
from kmsg_exporter.ring.syslog import buffer_bytes, read_all
from kmsg_exporter.why import finding, moment
from kmsg_exporter.why.finding import Finding
from kmsg_exporter.why.kmsg import Record, Ring, read_ring


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


def findings(
    log: Log, past: Sequence[Emptied] | None, *, restricted: bool | None, boot_unix: float, now_unix: float
) -> list[Finding]:
    """`past` is this boot's emptyings, newest first, None without a history; `restricted` is kernel.dmesg_restrict."""
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
        if not log.records:
            found.append(_cleared_unseen(past))
        return found
    ring = log.ring
    if ring.hidden:
        found.append(_hidden(ring, past, boot_unix=boot_unix, now_unix=now_unix))
    elif not ring.records:
        found.append(Finding("note", finding.HIDDEN, "the log is empty: nothing was printed since the boot"))
    if ring.oldest:
        found.append(_overwritten(ring, log.size_bytes, boot_unix=boot_unix))
    return found


def _refused(log: Log, restricted: bool | None) -> Finding:
    if restricted:
        what = "dmesg is refused to this user: kernel.dmesg_restrict is 1, and CAP_SYSLOG is missing"
        return Finding("cause", finding.REFUSED, what, (log.why_not,), "run dmesg, and this, as root")
    what = "the log can't be read here: neither /dev/kmsg nor syslog(2)"
    return Finding("cause", finding.REFUSED, what, (log.why_not,), "run it as root on the host, or add CAP_SYSLOG")


def _cleared_unseen(past: Sequence[Emptied] | None) -> Finding:
    if past:
        return Finding(
            "cause", finding.HIDDEN, "dmesg shows nothing: a clear hides it", tuple(map(told, past[:3])), _RECOVER
        )
    return Finding("cause", finding.HIDDEN, "dmesg shows nothing: most likely a clear hides it", (), _RECOVER)


_RECOVER = "kmsg-exporter recover, as root on the host, prints what is hidden"


def _hidden(ring: Ring, past: Sequence[Emptied] | None, *, boot_unix: float, now_unix: float) -> Finding:
    hidden, visible = ring.hidden, ring.visible
    shown = "dmesg shows nothing" if not visible else f"dmesg shows only the {len(visible)} after it"
    what = f"a clear hides {_count(len(hidden), 'record')}: {shown}"
    evidence = [f"/dev/kmsg: records {hidden[0].seq} to {hidden[-1].seq} are in the ring, dmesg starts at "]
    evidence[0] += f"{ring.visible_from}"
    # the newest clear is the one that hides; those before it hid what is in the ring as well
    by = [event for event in past or () if _reaches(event, ring.oldest)]
    explained = is_explained(ring, by)
    if not explained:
        after = boot_unix + (hidden[-1].usec or 0) / 1e6
        before = boot_unix + (visible[0].usec or 0) / 1e6 if visible else now_unix
        evidence.append(
            f"cleared at some time between {moment.local(after)} (the last hidden record) and {moment.local(before)} "
            + ("(the first visible one)" if visible else "(now)")
        )
        evidence.append(
            "by whom is not known: no agent ran then; while it runs it names who clears"
            if past is None
            else "by whom is not known: the agent's history has no such emptying"
        )
    evidence += [f"{'' if explained else 'earlier: '}{told(event)}" for event in by[:3]]
    if len(by) > 3:
        evidence.append(f"and {len(by) - 3} more: kmsg-exporter history")
    return Finding("cause", finding.HIDDEN, what, tuple(evidence), "kmsg-exporter recover prints them")


def is_explained(ring: Ring, past: Sequence[Emptied]) -> bool:
    """Whether one of the emptyings, or of those that one stands for, ended where dmesg starts."""
    last_hidden = ring.visible_from - 1
    ranges = ((event.number("kmsg.hidden.first_seq"), event.number("kmsg.hidden.last_seq")) for event in past)
    return any(first <= last_hidden <= last for first, last in ranges if first is not None and last is not None)


def _reaches(event: Emptied, oldest: int) -> bool:
    last = event.number("kmsg.hidden.last_seq")
    return last is None or last >= oldest


def told(event: Emptied) -> str:
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


def _overwritten(ring: Ring, size_bytes: int | None, *, boot_unix: float) -> Finding:
    first = ring.records[0].usec if ring.records else None
    evidence = [f"/dev/kmsg: the oldest record in the ring is number {ring.oldest}"]
    if first is not None:
        evidence.append(f"it is of {moment.local(boot_unix + first / 1e6)}, {first // 1_000_000} s after the boot")
    if size_bytes:
        evidence.append(f"the ring has {size_bytes >> 10} KiB")
    what = f"the first {_count(ring.oldest, 'record')} of this boot were overwritten by later ones"
    remedy = "a larger ring: log_buf_len=4M on the kernel's command line; what was lost may be in the journal"
    return Finding("note", finding.OVERWRITTEN, what, tuple(evidence), remedy)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
