"""What systemd-journald makes of the kernel's lines, by its configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from kmsg_exporter.why import finding
from kmsg_exporter.why.files import Files, Place
from kmsg_exporter.why.finding import Finding, Roots
from kmsg_exporter.why.names import LEVELS

_FOLDERS: Final = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
_SETTING: Final = re.compile(r"(\w+)\s*=\s*(.*?)\s*\Z")
_NO: Final = ("no", "false", "0", "off")
_LEVELS: Final = {"warning": "warn", "error": "err"}


def journald(roots: Roots, running: Mapping[str, int]) -> list[Finding]:
    """Nothing where it does not run: its files are there on many a container's image."""
    if "systemd-journal" not in running:
        return []
    files = Files(roots)
    settings = journald_settings(files)
    found = []

    def given(name: str) -> str:
        return settings[name][0].lower() if name in settings else ""

    def where(name: str) -> tuple[str, ...]:
        return (str(settings[name][1]),)

    if given("ReadKMsg") in _NO:
        what = "journald does not read the kernel's log"
        found.append(Finding("cause", finding.DAEMON, what, where("ReadKMsg"), "ReadKMsg=yes"))
    storage = given("Storage") or "auto"
    if storage == "none":
        what = "journald keeps nothing: it only passes on"
        found.append(Finding("cause", finding.DAEMON, what, where("Storage"), "Storage=persistent"))
    elif storage == "volatile" or (storage == "auto" and files.is_folder(roots.at("/var/log/journal")) is False):
        evidence = where("Storage") if "Storage" in settings else ("Storage=auto, and there is no /var/log/journal",)
        what = "the journal is in memory only: what it had is gone after a boot"
        found.append(Finding("note", finding.DAEMON, what, evidence, "Storage=persistent, or mkdir /var/log/journal"))
    level = _LEVELS.get(given("MaxLevelStore"), given("MaxLevelStore"))
    level = LEVELS[int(level)] if level.isdecimal() and int(level) < len(LEVELS) else level
    if level in LEVELS[:7]:
        what = f"journald stores only lines of level {level} and worse"
        found.append(Finding("cause", finding.DAEMON, what, where("MaxLevelStore"), "MaxLevelStore=debug"))
    for name in ("RateLimitIntervalSec", "RateLimitBurst"):
        if name in settings:
            what = "journald limits how much a service may log; the kernel's own lines are not limited"
            found.append(Finding("note", finding.DAEMON, what, where(name)))
    if unseen := files.unseen("journald"):  # where the last word on a setting may be
        return [*(replace(one, verdict="note") for one in found), *unseen]
    return found or [Finding("note", finding.DAEMON, "journald reads and keeps the kernel's lines")]


def journald_settings(files: Files) -> dict[str, tuple[str, Place]]:
    """The last word on each setting: the main file, then the drop-ins by name, of which /etc's hide the others'."""
    roots = files.roots
    drop_ins: dict[str, Path] = {}
    for folder in reversed(_FOLDERS):
        drop_ins |= {path.name: path for path in files.listed(roots.at(f"{folder}/journald.conf.d"), "*.conf")}
    mains = ((path, files.text(path)) for folder in _FOLDERS if (path := roots.at(f"{folder}/journald.conf")))
    texts = [next(((path, text) for path, text in mains if text is not None), (Path(), ""))]
    texts += [(drop_ins[name], files.text(drop_ins[name]) or "") for name in sorted(drop_ins)]
    found = {}
    for path, text in texts:
        for number, line in enumerate(text.splitlines(), 1):
            if (match := _SETTING.match(line.strip())) and not line.lstrip().startswith(("#", ";")):
                found[match[1]] = match[2], Place(roots.named(path), number, line.strip())
    return found
