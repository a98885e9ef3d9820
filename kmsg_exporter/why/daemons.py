"""What the log daemons make of the kernel's lines, by their configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kmsg_exporter.why import finding, rsyslog
from kmsg_exporter.why.finding import Finding, Roots
from kmsg_exporter.why.names import LEVELS
from kmsg_exporter.why.rsyslog import Line, Place

_JOURNALD: Final = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
_SETTING: Final = re.compile(r"(\w+)\s*=\s*(.*?)\s*\Z")
_NO: Final = ("no", "false", "0", "off")
_JOURNAL_LEVELS: Final = {"warning": "warn", "error": "err"}
_NPD: Final = ("/etc/node-problem-detector.d", "/etc/node-problem-detector", "/config")


def journald(roots: Roots, running: Mapping[str, int]) -> list[Finding]:
    """Nothing where it does not run: its files are there on many a container's image."""
    if "systemd-journal" not in running:
        return []
    settings = journald_settings(roots)
    found = []

    def given(name: str) -> str:
        return settings[name][0].lower() if name in settings else ""

    def where(name: str) -> tuple[str, ...]:
        return (str(settings[name][1]),)

    if given("ReadKMsg") in _NO:
        what = "journald does not read the kernel's log"
        found.append(Finding("cause", finding.DAEMON, what, where("ReadKMsg"), "ReadKMsg=yes"))
    storage = given("Storage") or "auto"
    kept = roots.at("/var/log/journal").is_dir()
    if storage == "none":
        what = "journald keeps nothing: it only passes on"
        found.append(Finding("cause", finding.DAEMON, what, where("Storage"), "Storage=persistent"))
    elif storage == "volatile" or (storage == "auto" and not kept):
        evidence = where("Storage") if "Storage" in settings else ("Storage=auto, and there is no /var/log/journal",)
        what = "the journal is in memory only: what it had is gone after a boot"
        found.append(Finding("note", finding.DAEMON, what, evidence, "Storage=persistent, or mkdir /var/log/journal"))
    level = _JOURNAL_LEVELS.get(given("MaxLevelStore"), given("MaxLevelStore"))
    level = LEVELS[int(level)] if level.isdecimal() and int(level) < len(LEVELS) else level
    if level in LEVELS[:7]:
        what = f"journald stores only lines of level {level} and worse"
        found.append(Finding("cause", finding.DAEMON, what, where("MaxLevelStore"), "MaxLevelStore=debug"))
    for name in ("RateLimitIntervalSec", "RateLimitBurst"):
        if name in settings:
            what = "journald limits how much a service may log; the kernel's own lines are not limited"
            found.append(Finding("note", finding.DAEMON, what, where(name)))
    return found or [Finding("note", finding.DAEMON, "journald reads and keeps the kernel's lines")]


def journald_settings(roots: Roots) -> dict[str, tuple[str, Place]]:
    """The last word on each setting: the main file, then the drop-ins by name, of which /etc's hide the others'."""
    drop_ins: dict[str, Path] = {}
    for folder in reversed(_JOURNALD):
        place = roots.at(f"{folder}/journald.conf.d")
        drop_ins.update({path.name: path for path in (place.glob("*.conf") if place.is_dir() else ())})
    mains = [path for folder in _JOURNALD if (path := roots.at(f"{folder}/journald.conf")).is_file()]
    found = {}
    for path in [*mains[:1], *(drop_ins[name] for name in sorted(drop_ins))]:
        for number, line in enumerate(_text(path).splitlines(), 1):
            if (match := _SETTING.match(line.strip())) and not line.lstrip().startswith(("#", ";")):
                found[match[1]] = match[2], Place(roots.named(path), number, line.strip())
    return found


def syslog_ng(roots: Roots, running: Mapping[str, int]) -> list[Finding]:
    """Which lines of its configuration bring the kernel's lines; its filters and logs are not followed."""
    folder = roots.at("/etc/syslog-ng")
    paths = [folder / "syslog-ng.conf", *sorted((folder / "conf.d").glob("*.conf"))]
    sources = [
        str(Place(roots.named(path), number, line.strip()))
        for path in paths
        if path.is_file()
        for number, line in enumerate(_text(path).splitlines(), 1)
        if not line.lstrip().startswith("#") and re.search(r"\bsystem\s*\(|/(?:proc|dev)/kmsg", line)
    ]
    if not (folder / "syslog-ng.conf").is_file():
        return []
    name = _named("syslog-ng", "syslog-ng", running)
    if not sources:
        what = f"{name} reads no kernel lines: it has neither system() nor /proc/kmsg as a source"
        return [Finding("note", finding.DAEMON, what, (f"{roots.named(paths[0])}",))]
    what = f"{name} reads the kernel's lines; where it writes them is not followed here"
    return [Finding("note", finding.DAEMON, what, tuple(sources))]


def node_problem_detector(roots: Roots, running: Mapping[str, int]) -> list[Finding]:
    """Which of its monitors read the kernel's log. In a cluster its files are in its pod, not here."""
    found = []
    for folder in _NPD:
        place = roots.at(folder)
        for path in sorted(place.glob("*.json")) if place.is_dir() else ():
            try:
                monitor = json.loads(_text(path))
                plugin, log = monitor["plugin"], monitor.get("logPath", "")
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
            if plugin == "kmsg" or "kern" in str(log):
                rules = monitor.get("rules")
                count = len(rules) if isinstance(rules, list) else 0
                found.append(f"{roots.named(path)}: plugin {plugin}, {log or '/dev/kmsg'}, {count} rules")
    if found:
        name = _named("node-problem-detector", "node-problem-de", running)
        return [Finding("note", finding.DAEMON, f"{name} looks for its patterns and keeps no lines", tuple(found))]
    if "node-problem-de" in running:
        what = "node-problem-detector runs; its configuration is not on this file system"
        return [Finding("note", finding.DAEMON, what, (f"pid {running['node-problem-de']}",))]
    return []


def of_rsyslog(roots: Roots, running: Mapping[str, int]) -> tuple[list[Finding], rsyslog.Config | None]:
    """Where the kernel's lines of each level go by its rules."""
    config = rsyslog.read(roots)
    if config is None:
        return [], None
    name = _named("rsyslog", "rsyslogd", running)
    found = [
        Finding(
            "unseen", finding.DAEMON, "a file of rsyslog's configuration could not be read", (each,), "run it as root"
        )
        for each in config.unread
    ]
    if not config.inputs:
        verdict: finding.Verdict = "cause" if "rsyslogd" in running else "note"
        what = f"{name} gets no kernel lines: it loads none of imklog, imkmsg and imjournal"
        found.append(Finding(verdict, finding.DAEMON, what, ("/etc/rsyslog.conf",), 'module(load="imklog")'))
        return found, config
    found.append(_routes(name, config))
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
    lost = not files and stopped is not None
    return Finding("cause" if lost else "note", finding.DAEMON, what, tuple(evidence))


def _once(texts: list[str], text: str) -> None:
    if text not in texts:
        texts.append(text)


def _named(name: str, comm: str, running: Mapping[str, int]) -> str:
    return name if comm in running else f"{name} (which does not run)"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
