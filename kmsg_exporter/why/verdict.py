"""All that is found, brought together: the most likely cause first, and of each trouble where its line is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_exporter.clock import boot_id
from kmsg_exporter.emptied import Emptied
from kmsg_exporter.errors import KmsgExporterError
from kmsg_exporter.tracefs.lock import holder
from kmsg_exporter.why import (
    console,
    daemons,
    dmesg,
    finding,
    holders,
    journal,
    journald,
    log,
    logfiles,
    moment,
    rsyslog,
)
from kmsg_exporter.why.dmesg import Form
from kmsg_exporter.why.finding import Finding, Roots
from kmsg_exporter.why.kmsg import Record, Ring
from kmsg_exporter.why.logfiles import USUAL, Search, Sought
from kmsg_exporter.why.past import read_past
from kmsg_exporter.why.troubles import Trouble, find

MOST_TROUBLES: Final = 10
_TELLING_SECONDS: Final = 2.0  # a running agent tells one emptying a second
_AGAIN_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Answer:
    """The findings in the order in which they are told. `looked` is whether the log itself could be read."""

    findings: tuple[Finding, ...]
    looked: bool

    @property
    def exit_code(self) -> int:
        """0 nothing wrong was found, 1 the log could not be looked at, 3 something was found."""
        if not self.looked:
            return 1
        return 3 if any(one.verdict == "cause" for one in self.findings) else 0


def answer(
    roots: Roots,
    state_directory: Path,
    *,
    since: float | None = None,
    journalctl: str | Path = journal.JOURNALCTL,
    progress: Callable[[str], None] = lambda _: None,
) -> Answer:
    """Look at everything once. Reads only; runs nothing but journalctl."""
    boot_unix = dmesg.boot_unix_usec() / 1e6
    progress("the kernel's log")
    seen = log.read_log(roots.dev / "kmsg")
    progress("the agent's history")
    past, found = _past(roots, state_directory, seen.ring)
    restricted = console.read_sysctl(roots.proc, "dmesg_restrict")
    found += log.findings(
        seen,
        past,
        restricted=None if restricted is None else restricted != "0",
        boot_unix=boot_unix,
        now_unix=time.time(),
    )
    progress("the processes")
    found += holders.findings(*holders.scan(roots.proc))
    running = holders.running(roots.proc)
    of_rsyslog, rules = daemons.of_rsyslog(roots, running)
    found += of_rsyslog
    for daemon in (journald.journald, daemons.syslog_ng, daemons.node_problem_detector):
        found += daemon(roots, running)
    found += console.findings(roots.proc)
    troubles = [
        trouble
        for trouble in find(seen.records or ())
        if since is None or boot_unix + (trouble.records[-1].usec or 0) / 1e6 >= since
    ]
    found += _troubles(troubles, seen.ring, roots, rules, boot_unix, journalctl, progress)
    order = ("cause", "note", "unseen")
    found.sort(key=lambda one: (order.index(one.verdict), one.rank))
    return Answer(tuple(found), seen.records is not None)


def _past(roots: Roots, directory: Path, ring: Ring | None) -> tuple[Sequence[Emptied] | None, list[Finding]]:
    """This boot's emptyings. One that an agent has seen and is about to tell is waited for."""
    ends = time.monotonic() + _TELLING_SECONDS
    try:
        this = boot_id(roots.proc)
        while True:
            past = read_past(directory, wanted=lambda event: event.text("kmsg.boot_id") == this)
            told = past is None or ring is None or not ring.hidden or log.is_explained(ring, past)
            if told or time.monotonic() > ends or holder(directory, proc=roots.proc) is None:
                return past, []
            time.sleep(_AGAIN_SECONDS)
    except (KmsgExporterError, OSError) as exc:
        return None, [Finding("unseen", finding.HIDDEN, "who cleared the log can't be looked up", (str(exc),))]


def _troubles(
    troubles: Sequence[Trouble],
    ring: Ring | None,
    roots: Roots,
    rules: rsyslog.Config | None,
    boot_unix: float,
    journalctl: str | Path,
    progress: Callable[[str], None],
) -> list[Finding]:
    """Each trouble with where its line is. All are looked for in one pass."""
    if not troubles:
        return []
    shown = troubles[:MOST_TROUBLES]
    sought = [Sought.of(trouble.records[-1], boot_unix=boot_unix) for trouble in shown]
    routes = [_route(one.record, rules) for one in sought]
    usual = [roots.log / name for name in USUAL]
    ruled = [roots.at(path) for route in routes if route is not None for path, _ in route.files]
    in_files = logfiles.search(sought, [*usual, *ruled], named=roots.named, progress=progress)
    progress("the journal")
    in_journal = journal.search(sought, program=journalctl)
    found = [
        _told(trouble, index, in_files, in_journal, routes[index], ring, boot_unix)
        for index, trouble in enumerate(shown)
    ]
    if len(troubles) > len(shown):
        more = len(troubles) - len(shown)
        found.append(Finding("note", finding.TROUBLE, f"and {more} older troubles are in the ring", (), "--since"))
    found += [
        Finding(
            "unseen", finding.TROUBLE, f"not looked through: {each}", (), "run it as root" if "ermi" in each else ""
        )
        for each in (*in_files.unread, *in_journal.unread)
    ]
    return found


def _route(record: Record, rules: rsyslog.Config | None) -> rsyslog.Route | None:
    if rules is None or not rules.inputs:
        return None
    text = record.text.decode(errors="replace")
    return rules.route(rsyslog.Line(text, 6 if record.level is None else record.level))


def _told(
    trouble: Trouble,
    index: int,
    in_files: Search,
    in_journal: Search,
    route: rsyslog.Route | None,
    ring: Ring | None,
    boot_unix: float,
) -> Finding:
    record = trouble.records[-1]
    files, journaled = in_files.where[index], in_journal.where[index]
    usual = [mark for mark in files if _is_usual(mark)]
    when = moment.local(boot_unix + (record.usec or 0) / 1e6)
    times = f", {len(trouble.records)} times, last" if len(trouble.records) > 1 else ","
    what = f"{trouble.kind} ({trouble.about}{times} {when})" if trouble.about else f"{trouble.kind} ({when})"
    line = b"".join(dmesg.render([record], Form(raw=True))).decode(errors="replace").rstrip("\n")
    evidence = [line]
    if ring is not None and (record.seq or 0) < ring.visible_from:
        evidence.append(f"dmesg does not show it: a clear hides it (record {record.seq})")
    evidence += [f"it is at {mark}" for mark in (*files, *journaled)]
    looked = [*in_files.read, *in_journal.read]
    if not usual:
        evidence += _rules_say(route)
    if usual:
        return Finding("note", finding.TROUBLE, f"{what} is in {_file(usual[0])}", tuple(evidence))
    if not files:
        evidence.append(f"looked in: {', '.join(looked) if looked else 'nothing, there is no log file and no journal'}")
    if files:
        what += f" is in none of the usual files but in {', '.join(map(_file, files))}"
        return Finding("cause", finding.TROUBLE, what, tuple(evidence))
    if journaled:
        missed = route is not None or bool(in_files.read)
        what += " is in the journal and in no log file"
        return Finding("cause" if missed else "note", finding.TROUBLE, what, tuple(evidence), "journalctl -k shows it")
    what += " is in the kernel's ring only" if looked else " is nowhere but in the kernel's ring"
    return Finding("cause", finding.TROUBLE, what, tuple(evidence), "it is gone when the ring is overwritten: keep it")


def _is_usual(mark: str) -> bool:
    name = Path(_file(mark)).name
    return any(name == usual or name.startswith((f"{usual}.", f"{usual}-")) for usual in USUAL)


def _file(mark: str) -> str:
    return mark.rpartition(":")[0]


def _rules_say(route: rsyslog.Route | None) -> list[str]:
    if route is None:
        return []
    said = [f"rsyslog's rule for it: {place}" for place in dict.fromkeys(place for _, place in route.files)]
    said += [f"rsyslog's rule for it: {place}" for place in route.others]
    said += [f"rsyslog's rules end for it here: {route.stopped}"] if route.stopped else []
    said += [f"a rule that is not followed: {place}" for place in route.unclear]
    return said or ["none of rsyslog's rules writes it"]
