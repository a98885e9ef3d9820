"""All that is found, brought together: the most likely cause first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kmsg_exporter.errors import KmsgExporterError
from kmsg_exporter.why import clocks, console, daemons, elsewhere, finding, holders, journal, journald, log, node
from kmsg_exporter.why.finding import Finding, Roots
from kmsg_exporter.why.kmsg import Ring
from kmsg_exporter.why.telling import Told, told
from kmsg_exporter.why.troubles import find


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
    now = clocks.now()
    progress("the kernel's log")
    seen = log.read_log(roots.dev / "kmsg")
    progress("the agent's history")
    past, found = _past(roots, state_directory, seen.ring)
    restricted = console.read_sysctl(roots.proc, "dmesg_restrict")
    found += log.findings(seen, past, restricted=None if restricted is None else restricted != "0", clocks=now)
    progress("the processes")
    found += holders.findings(*holders.scan(roots.proc))
    running = holders.running(roots.proc)
    found += node.findings(roots)
    of_rsyslog, rules = daemons.of_rsyslog(roots, running)
    found += of_rsyslog
    for daemon in (journald.journald, daemons.syslog_ng, daemons.node_problem_detector):
        found += daemon(roots, running)
    found += console.findings(roots.proc)
    troubles = [
        trouble for trouble in find(seen.records or ()) if since is None or now.last(trouble.records[-1].usec) >= since
    ]
    found += elsewhere.findings(troubles, seen.ring, roots, rules, now, journalctl, progress)
    order = ("cause", "note", "unseen")
    found.sort(key=lambda one: (order.index(one.verdict), one.rank))
    return Answer(tuple(found), seen.records is not None)


def _past(roots: Roots, directory: Path, ring: Ring | None) -> tuple[Told, list[Finding]]:
    try:
        return told(directory, ring, roots.proc), []
    except (KmsgExporterError, OSError) as exc:
        return Told(None), [Finding("unseen", finding.HIDDEN, "who cleared the log can't be looked up", (str(exc),))]
