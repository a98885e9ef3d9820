"""Who reads the log now, and readers that take lines away from each other."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from kmsg_exporter.model import Reader
from kmsg_exporter.process.procfs import read_comm
from kmsg_exporter.process.readers import ReaderScan
from kmsg_exporter.why import finding
from kmsg_exporter.why.finding import Finding

_FILES: Final = {"proc_kmsg": "/proc/kmsg", "dev_kmsg": "/dev/kmsg"}
_DAEMONS: Final = ("rsyslogd", "systemd-journal", "syslog-ng", "node-problem-de", "syslogd", "klogd", "metalog")


def scan(proc: Path) -> tuple[tuple[Reader, ...], int]:
    """The holders, and of how many processes that may not be seen."""
    reader = ReaderScan(proc=proc, interval_seconds=3600)
    while reader.readers is None:
        reader.step(60)
    return reader.readers, reader.unseen


def running(proc: Path) -> dict[str, int]:
    """The log daemons that run now, by comm, with their pid."""
    found = {}
    for name in os.listdir(proc):
        if name.isdigit() and (comm := read_comm(int(name), proc=proc)) in _DAEMONS:
            found[comm] = int(name)
    return found


def findings(readers: Sequence[Reader], unseen: int) -> list[Finding]:
    found = []
    consumers = [reader for reader in readers if reader.interface == "proc_kmsg"]
    lines = tuple(map(_shown, readers))
    if len({reader.pid for reader in consumers}) > 1:
        found.append(
            Finding(
                "cause",
                finding.CONSUMED,
                f"{len(consumers)} readers of /proc/kmsg take lines away from each other: each goes to one of them",
                tuple(map(_shown, consumers)),
                "leave one of them, or let the others read /dev/kmsg (rsyslog: imkmsg in place of imklog)",
            )
        )
    seen = " that can be seen from here" if unseen else ""
    what = f"nobody{seen} holds the log open for reading"
    if readers:
        count = len({reader.pid for reader in readers})
        what = f"{count} process{'es hold' if count > 1 else ' holds'} the log open for reading"
    found.append(Finding("note", finding.READERS, what, lines))
    if unseen:
        found.append(
            Finding(
                "unseen",
                finding.READERS,
                f"the descriptors of {unseen} processes may not be seen",
                (),
                "run it as root",
            )
        )
    return found


def _shown(reader: Reader) -> str:
    return f"{reader.comm}[{reader.pid}] {reader.exe} reads {_FILES.get(reader.interface, reader.interface)}"
