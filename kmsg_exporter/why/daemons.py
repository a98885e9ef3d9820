"""What rsyslog, syslog-ng and node-problem-detector make of the kernel's lines, by their configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from kmsg_exporter.why import finding, rsyslog
from kmsg_exporter.why.files import Files, Place
from kmsg_exporter.why.finding import Finding, Roots
from kmsg_exporter.why.rsyslog import Line

_SYSLOG_NG: Final = re.compile(r"\b(?:system|systemd-journal)\s*\(|/(?:proc|dev)/kmsg")
_NPD: Final = ("/etc/node-problem-detector.d", "/etc/node-problem-detector", "/config")


def syslog_ng(roots: Roots, running: Mapping[str, int]) -> list[Finding]:
    """Which lines of its configuration bring the kernel's lines; its filters and logs are not followed."""
    files, folder = Files(roots), roots.at("/etc/syslog-ng")
    main = folder / "syslog-ng.conf"
    texts = {path: files.text(path) for path in (main, *files.listed(folder / "conf.d", "*.conf"))}
    if texts[main] is None and not (files.unread and "syslog-ng" in running):
        return []
    sources = [
        str(Place(roots.named(path), number, line.strip()))
        for path, text in texts.items()
        for number, line in enumerate((text or "").splitlines(), 1)
        if not line.lstrip().startswith("#") and _SYSLOG_NG.search(line)
    ]
    name = _named("syslog-ng", "syslog-ng", running)
    found = files.unseen("syslog-ng")
    if sources:
        what = f"{name} reads the kernel's lines; where it writes them is not followed here"
        found.append(Finding("note", finding.DAEMON, what, tuple(sources)))
    elif not files.unread:
        what = f"{name} reads no kernel lines: none of system(), systemd-journal() and /proc/kmsg is a source of it"
        found.append(Finding("note", finding.DAEMON, what, (roots.named(main),)))
    return found


def node_problem_detector(roots: Roots, running: Mapping[str, int]) -> list[Finding]:
    """Which of its monitors read the kernel's log. In a cluster its files are in its pod, not here."""
    found = []
    files = Files(roots)
    for folder in _NPD:
        for path in files.listed(roots.at(folder), "*.json"):
            try:
                monitor = json.loads(files.text(path) or "")
                plugin, log = monitor["plugin"], monitor.get("logPath", "")
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
            if plugin == "kmsg" or "kern" in str(log):
                rules = monitor.get("rules")
                count = len(rules) if isinstance(rules, list) else 0
                found.append(f"{roots.named(path)}: plugin {plugin}, {log or '/dev/kmsg'}, {count} rules")
    name = _named("node-problem-detector", "node-problem-de", running)
    unseen = files.unseen("node-problem-detector")
    if found:
        what = f"{name} looks for its patterns and keeps no lines"
        return [Finding("note", finding.DAEMON, what, tuple(found)), *unseen]
    if "node-problem-de" in running and unseen:
        return unseen
    if "node-problem-de" in running:
        what = "node-problem-detector runs; its configuration is not on this file system"
        return [Finding("note", finding.DAEMON, what, (f"pid {running['node-problem-de']}",))]
    return []


def of_rsyslog(roots: Roots, running: Mapping[str, int]) -> tuple[list[Finding], rsyslog.Config | None]:
    """Where the kernel's lines of each level go by its rules."""
    config = rsyslog.read(roots)
    if config is None or (config.unread and not config.statements and "rsyslogd" not in running):
        return [], None
    name = _named("rsyslog", "rsyslogd", running)
    found = []
    if config.unread:
        what = "rsyslog's configuration could be read only in part"
        found.append(Finding("unseen", finding.DAEMON, what, config.unread, "run it as root"))
    if config.inputs:
        found.append(_routes(name, config))
    elif not config.unread:
        verdict: finding.Verdict = "cause" if "rsyslogd" in running else "note"
        what = f"{name} gets no kernel lines: it loads none of imklog, imkmsg and imjournal"
        found.append(Finding(verdict, finding.DAEMON, what, ("/etc/rsyslog.conf",), 'module(load="imklog")'))
    return found, config


def _routes(name: str, config: rsyslog.Config) -> Finding:
    """By the rules for a line without a particular text, an error and an informational one."""
    evidence = [str(place) for _, place in config.inputs]
    routes = [config.route(Line("", level)) for level in (3, 6)]
    targets: dict[str, None] = {}
    for route in routes:
        for path, place in route.files:
            targets.setdefault(path)
            _once(evidence, str(place))
        for place in (*route.others, *((route.stopped,) if route.stopped else ())):
            _once(evidence, str(place))
        for place in route.unclear:
            _once(evidence, f"{place} (not followed)")
    files = [path for path, _ in routes[0].files]
    what = f"{name} writes the kernel's errors to {', '.join(dict.fromkeys(files)) or 'no file'}"
    rest = [path for path, _ in routes[1].files]
    if rest != files:
        what += f", its informational lines to {', '.join(dict.fromkeys(rest)) or 'no file'}"
    if any(route.others for route in routes):
        what += ", and elsewhere"
    stopped = next((route.stopped for route in routes if route.stopped), None)
    if config.unread:
        what += ", as far as its configuration could be read"
    lost = not files and stopped is not None and not config.unread
    return Finding("cause" if lost else "note", finding.DAEMON, what, tuple(evidence))


def _once(texts: list[str], text: str) -> None:
    if text not in texts:
        texts.append(text)


def _named(name: str, comm: str, running: Mapping[str, int]) -> str:
    return name if comm in running else f"{name} (which does not run)"
