"""Each trouble of the log with where else its line is: the log files, the journal, or nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_exporter.why import dmesg, finding, journal, logfiles, rsyslog
from kmsg_exporter.why.clocks import Clocks
from kmsg_exporter.why.dmesg import Form
from kmsg_exporter.why.finding import Finding, Roots
from kmsg_exporter.why.kmsg import Ring
from kmsg_exporter.why.logfiles import USUAL, Search, Sought
from kmsg_exporter.why.troubles import Trouble

MOST_TROUBLES: Final = 10
_KEEP: Final = "it is gone when the ring is overwritten: keep it"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What all troubles share."""

    ring: Ring | None
    rules: rsyslog.Config | None
    clocks: Clocks
    files: Search
    journal: Search


def findings(
    troubles: Sequence[Trouble],
    ring: Ring | None,
    roots: Roots,
    rules: rsyslog.Config | None,
    clocks: Clocks,
    journalctl: str | Path,
    progress: Callable[[str], None],
) -> list[Finding]:
    """All are looked for in one pass."""
    if not troubles:
        return []
    shown = troubles[:MOST_TROUBLES]
    sought = [Sought.of(trouble.records[-1], clocks) for trouble in shown]
    routes = [_route(trouble, rules) for trouble in shown]
    usual = [roots.log / name for name in USUAL]
    ruled = [roots.at(path) for route in routes if route is not None for path, _ in route.files]
    in_files = logfiles.search(sought, [*usual, *ruled], named=roots.named, progress=progress)
    progress("the journal")
    folders = [roots.log / "journal", roots.at("/run/log/journal")]
    in_journal = journal.search(sought, folders, own=roots.own, program=journalctl, named=roots.named)
    seen = _Seen(ring, rules, clocks, in_files, in_journal)
    found = [_told(trouble, index, routes[index], seen) for index, trouble in enumerate(shown)]
    if len(troubles) > len(shown):
        more = len(troubles) - len(shown)
        found.append(Finding("note", finding.TROUBLE, f"and {more} older troubles are in the ring", (), "--since"))
    for each in (*in_files.unread, *in_journal.unread):
        remedy = "run it as root" if "ermi" in each or "not seeing" in each else ""
        found.append(Finding("unseen", finding.TROUBLE, f"not looked through: {each}", (), remedy))
    return found


def _route(trouble: Trouble, rules: rsyslog.Config | None) -> rsyslog.Route | None:
    record = trouble.records[-1]
    if rules is None or not rules.inputs:
        return None
    text = record.text.decode(errors="replace")
    return rules.route(rsyslog.Line(text, 6 if record.level is None else record.level))


def _told(trouble: Trouble, index: int, route: rsyslog.Route | None, seen: _Seen) -> Finding:
    record = trouble.records[-1]
    files, journaled = seen.files.where[index], seen.journal.where[index]
    usual = [mark for mark in files if _is_usual(mark)]
    when = seen.clocks.told(record.usec)
    times = f", {len(trouble.records)} times, last" if len(trouble.records) > 1 else ","
    what = f"{trouble.kind} ({trouble.about}{times} {when})" if trouble.about else f"{trouble.kind} ({when})"
    line = b"".join(dmesg.render([record], Form(raw=True))).decode(errors="replace").rstrip("\n")
    evidence = [line]
    if seen.ring is not None and (record.seq or 0) < seen.ring.visible_from:
        evidence.append(f"dmesg does not show it: a clear hides it (record {record.seq})")
    evidence += [f"it is at {mark}" for mark in (*files, *journaled)]
    if usual:
        return Finding("note", finding.TROUBLE, f"{what} is in {_file(usual[0])}", tuple(evidence))
    evidence += _rules_say(route, complete=seen.rules is not None and not seen.rules.unread)
    partly = bool(seen.files.unread)
    if files:
        those = "in what could be read of the usual files it is not" if partly else "is in none of the usual files"
        where = ", ".join(map(_file, files))
        what += f" is in {where}; {those}" if partly else f" {those} but in {where}"
        return Finding("note" if partly else "cause", finding.TROUBLE, what, tuple(evidence))
    looked = [*seen.files.read, *seen.journal.read]
    unread = partly or bool(seen.journal.unread)
    nothing = "nothing" if unread else "nothing, there is no log file and no journal"
    evidence.append(f"looked in: {', '.join(looked) or nothing}")
    if journaled:
        missed = not partly and (route is not None or bool(seen.files.read))
        what += " is in the journal and in no log file" + (" that could be read" if partly else "")
        return Finding("cause" if missed else "note", finding.TROUBLE, what, tuple(evidence), "journalctl -k shows it")
    if unread:
        what += " was not found in what could be read"
        return Finding("unseen", finding.TROUBLE, what, tuple(evidence), _KEEP)
    what += " is in the kernel's ring only" if looked else " is nowhere but in the kernel's ring"
    return Finding("cause", finding.TROUBLE, what, tuple(evidence), _KEEP)


def _is_usual(mark: str) -> bool:
    name = Path(_file(mark)).name
    return any(name == usual or name.startswith((f"{usual}.", f"{usual}-")) for usual in USUAL)


def _file(mark: str) -> str:
    return mark.rpartition(":")[0]


def _rules_say(route: rsyslog.Route | None, *, complete: bool) -> list[str]:
    if route is None:
        return []
    said = [f"rsyslog's rule for it: {place}" for place in dict.fromkeys(place for _, place in route.files)]
    said += [f"rsyslog's rule for it: {place}" for place in route.others]
    said += [f"rsyslog's rules end for it here: {route.stopped}"] if route.stopped else []
    said += [f"a rule that is not followed: {place}" for place in route.unclear]
    return said or [f"none of rsyslog's rules {'writes it' if complete else 'that could be read writes it'}"]
