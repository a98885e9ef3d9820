"""Who reads the log now, and readers that take lines away from each other."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from kmsg_exporter.model import Reader
from kmsg_exporter.process.procfs import read_comm, read_living
from kmsg_exporter.process.readers import ReaderScan
from kmsg_exporter.why import finding
from kmsg_exporter.why.finding import Finding

_SOURCES: Final = {"proc_kmsg": "/proc/kmsg", "dev_kmsg": "/dev/kmsg", "syslog": "most likely by syslog(2)"}
_CONSUMING: Final = ("proc_kmsg", "syslog")  # one position for all of them
_DAEMONS: Final = ("rsyslogd", "systemd-journal", "syslog-ng", "node-problem-de", "syslogd", "klogd", "metalog")


def scan(proc: Path) -> tuple[tuple[Reader, ...], int, frozenset[int]]:
    """Who reads, of how many processes that may not be seen, and which pids may have /proc/kmsg from their parent.

    A klogd that holds no descriptor is among the readers: busybox's calls syslog(2), which leaves no other trace.
    """
    reader = ReaderScan(proc=proc, interval_seconds=3600)
    while reader.readers is None:
        reader.step(60)
    holders = {one.pid for one in reader.readers if one.interface == "proc_kmsg"}
    found, heirs = list(reader.readers), set()
    for pid in (int(name) for name in os.listdir(proc) if name.isdigit()):
        living = read_living(pid, proc=proc) if pid in holders or read_comm(pid, proc=proc) == "klogd" else None
        if living is None or living.zombie:
            continue
        if pid not in holders:
            found.append(Reader(pid, living.comm, living.exe, "syslog"))
        elif living.parent_pid in holders:
            heirs.add(pid)
    return tuple(found), reader.unseen, frozenset(heirs)


def running(proc: Path) -> dict[str, int]:
    """The log daemons that run now, by comm, with their pid."""
    found = {}
    for name in os.listdir(proc):
        if name.isdigit() and (comm := read_comm(int(name), proc=proc)) in _DAEMONS:
            found[comm] = int(name)
    return found


def findings(readers: Sequence[Reader], unseen: int, heirs: Collection[int] = ()) -> list[Finding]:
    """As `scan` found them."""
    found = []
    consumers = [reader for reader in readers if reader.interface in _CONSUMING]
    lines = tuple(_shown(reader, heirs) for reader in readers)
    takers = {reader.pid for reader in consumers} - set(heirs)
    if len(takers) > 1:
        where = "/proc/kmsg and syslog(2)" if any(one.interface == "syslog" for one in consumers) else "/proc/kmsg"
        found.append(
            Finding(
                "cause",
                finding.CONSUMED,
                f"{len(takers)} readers of {where} take lines away from each other: each goes to one of them",
                tuple(_shown(reader, heirs) for reader in consumers),
                "leave one of them, or let the others read /dev/kmsg (rsyslog: imkmsg in place of imklog)",
            )
        )
    elif len(consumers) > 1:
        what = f"{len(consumers)} processes hold /proc/kmsg, handed on from parent to child: most likely one reads it"
        found.append(Finding("note", finding.CONSUMED, what, tuple(_shown(reader, heirs) for reader in consumers)))
    seen = " that can be seen from here" if unseen else ""
    what = f"nobody{seen} holds the log open for reading"
    if count := len({reader.pid for reader in readers if reader.interface != "syslog"}):
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


def _shown(reader: Reader, heirs: Collection[int]) -> str:
    inherited = reader.interface == "proc_kmsg" and reader.pid in heirs
    what = f"holds {_SOURCES['proc_kmsg']}, as its parent does" if inherited else f"reads {_SOURCES[reader.interface]}"
    return f"{reader.comm}[{reader.pid}] {reader.exe} {what}"
