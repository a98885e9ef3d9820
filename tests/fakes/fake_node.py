"""A node of files: its log, its processes, its configuration, its log files and the agent's history."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from fake_kmsg import FakeKmsg
from fake_proc import FakeProc

from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord, Process
from kmsg_exporter.push.otlp import log_record
from kmsg_exporter.push.spool import Spool
from kmsg_exporter.ring import device
from kmsg_exporter.why import clocks, dmesg, log
from kmsg_exporter.why.clocks import Clocks

BOOT_ID = "7d2f0a3e-1c5b-4e7f-9d61-0d2f6c9b8a11"
BOOT_UNIX = 1_795_424_400  # 2026-11-23 09:00:00 UTC
SHIPPED = Path(__file__).parents[1] / "unit" / "why" / "etc"
CRON = Actor(
    pid=132,
    tid=132,
    comm="dmesg",
    exe="/usr/bin/dmesg",
    source="exec_trace",
    ancestors=(
        Process(130, "cleanup.sh", "/usr/bin/dash"),
        Process(115, "cron", "/usr/sbin/cron"),
        Process(1, "systemd", "/usr/lib/systemd/systemd"),
    ),
    origin="cleanup.sh",
)


class FakeNode:
    """`etc` is what a distribution ships, or another folder. Times are UTC; the wall clock stands at 09:45."""

    def __init__(
        self, folder: Path, patch: pytest.MonkeyPatch, *, etc: Path | None = None, capacity: int = 1000
    ) -> None:
        self.folder = folder
        self.processes = FakeProc(folder)
        self.proc = self.processes.folder
        self.etc = etc or SHIPPED / "debian"
        self.dev, self.log, self.state = (folder / name for name in ("dev", "log", "state"))
        self.dev.mkdir()
        self.log.mkdir()
        (self.dev / "kmsg").symlink_to("/dev/null")  # no test can make a device
        patch.setattr(device, "_KMSG_DEVICE", Path("/dev/null").stat().st_rdev)
        self.kmsg = FakeKmsg(capacity)
        for name, text in (("random/boot_id", BOOT_ID), ("printk", "4 4 1 7"), ("dmesg_restrict", "1")):
            self.sysctl(name, text)
        (self.proc / "self").mkdir()  # in a container: what is not named is below process 1's root
        for process, disk in (("1", "8:1"), ("self", "0:52")):
            (self.proc / process / "mountinfo").write_text(
                f"22 1 {disk} / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
            )
        (self.proc / "cmdline").write_text("root=/dev/sda1 ro quiet console=ttyS0\n")
        patch.setenv("TZ", "UTC")
        time.tzset()
        patch.setattr(dmesg, "boot_unix_usec", lambda: BOOT_UNIX * 1_000_000)
        patch.setattr(time, "time", lambda: BOOT_UNIX + 2700.0)
        patch.setattr(clocks, "now", lambda: Clocks(BOOT_UNIX + 2700.0, 2700.0, 2700.0))
        patch.setattr(log, "buffer_bytes", lambda: 1 << 18)
        patch.setenv("PATH", str(folder / "bin"))  # no journalctl but a test's own
        self._patch(patch)

    def sysctl(self, name: str, text: str) -> None:
        path = self.proc / "sys" / "kernel" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    def reads_proc_kmsg(self, pid: int) -> None:
        """This process holds /proc/kmsg open."""
        (self.proc / "kmsg").touch()
        for name in ("fd", "fdinfo"):
            (self.proc / str(pid) / name).mkdir()
        (self.proc / str(pid) / "fd" / "4").symlink_to(self.proc / "kmsg")
        (self.proc / str(pid) / "fdinfo" / "4").write_text("pos:\t0\nflags:\t0100000\nmnt_id:\t22\n")

    def print(self, priority: int, seconds: float, text: str) -> int:
        """One record of the log; its number."""
        seq = self.kmsg.next_seq
        self.kmsg.records.append((seq, b"%d,%d,%d,-;%s\n" % (priority, seq, round(seconds * 1e6), text.encode())))
        self.kmsg.next_seq += 1
        return seq

    def journal(self, *entries: dict[str, str], said: str = "") -> None:
        """journalctl, which finds these; and what it says to a person."""
        (self.log / "journal").mkdir()
        (self.log / "journal" / "system.journal").touch()
        (self.folder / "bin").mkdir()
        program = self.folder / "bin" / "journalctl"
        lines = "".join(f"printf '%s\\n' '{json.dumps(entry)}'\n" for entry in entries)
        person = f"case $* in *json*) ;; *) echo '{said}' >&2 ;; esac\n" if said else ""
        program.write_text(f"#!/bin/sh\n{lines}{person}")
        program.chmod(0o755)

    def history(self, *emptyings: Emptying) -> None:
        """What an agent has stored; the last waits to be sent."""
        spool = Spool(self.state / "spool.sqlite3", clock=lambda: BOOT_UNIX + 2400.0)
        for number, emptying in enumerate(emptyings, 1):
            uid = spool.append(
                lambda uid, sequence, emptying=emptying: log_record(  # type: ignore[misc]
                    emptying, node="node-7", boot_id=BOOT_ID, uid=uid, sequence=sequence, observed_unix_ns=1
                )
            ).uid
            if number < len(emptyings):
                spool.mark_sent([uid], BOOT_UNIX + 2401.0)
        spool.close()

    def flags(self) -> list[str]:
        """What makes a command look here."""
        return [f"--path.procfs={self.proc}", f"--path.dev={self.dev}", f"--state-directory={self.state}"]

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        """The system calls on the log's file are the fake's, the others the machine's."""
        real = {name: getattr(os, name) for name in ("open", "close", "read", "lseek")}
        ours: set[int] = set()

        def opened(path: object, flags: int, *rest: object, **more: object) -> int:
            if path != self.dev / "kmsg":
                return int(real["open"](path, flags, *rest, **more))
            fd = self.kmsg.open(path, flags)
            ours.add(fd)
            return fd

        def of(name: str) -> object:
            def call(fd: int, *rest: int) -> object:
                return (getattr(self.kmsg, name) if fd in ours else real[name])(fd, *rest)

            return call

        patch.setattr(os, "open", opened)
        for name in ("close", "read", "lseek"):
            patch.setattr(os, name, of(name))


def emptied(seconds: float, first: int, last: int, *lines: LogRecord, actor: Actor | None = CRON) -> Emptying:
    """A clear so many seconds after the boot."""
    hidden = Hidden(last - first + 1, first, last, {"err": len(lines), "info": last - first + 1 - len(lines)}, lines)
    return Emptying(int((BOOT_UNIX + seconds) * 1e9), hidden, "clear", "syslog", actor)
