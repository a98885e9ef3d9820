"""What the console shows of the log, and what keeps lines out of it: the command line and kernel.printk*."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from kmsg_exporter.why import finding
from kmsg_exporter.why.finding import Finding
from kmsg_exporter.why.names import LEVELS

_WORDS: Final = re.compile(r"(?:quiet|debug|ignore_loglevel|(?:console|loglevel|log_buf_len|printk\.\w+)=\S+)\Z")


def read_sysctl(proc: Path, name: str) -> str | None:
    """A value of /proc/sys/kernel; None where this kernel has none or it may not be read."""
    try:
        return (proc / "sys" / "kernel" / name).read_text().strip()
    except OSError:
        return None


def findings(proc: Path) -> list[Finding]:
    """What could have kept a line from being seen on a console, or from being in the log at all."""
    found = []
    try:
        words = [word for word in (proc / "cmdline").read_text().split() if _WORDS.match(word)]
    except OSError:
        words = []
    levels = (read_sysctl(proc, "printk") or "").split()
    if levels and levels[0].isdecimal():
        console = int(levels[0])
        shown = "everything" if console > 7 else f"{LEVELS[console - 1]} and worse" if console else "nothing"
        evidence = [f"kernel.printk = {' '.join(levels)}"]
        if words:
            evidence.append(f"/proc/cmdline: {' '.join(words)}")
        found.append(
            Finding(
                "note",
                finding.CONSOLE,
                f"the console shows {shown}; dmesg and the daemons see all",
                tuple(evidence),
                "" if console > 4 else "dmesg -n 5 shows warnings and worse on the console",
            )
        )
    devkmsg = read_sysctl(proc, "printk_devkmsg")
    if devkmsg == "off":
        found.append(
            Finding(
                "cause",
                finding.CONSOLE,
                "what programs write to /dev/kmsg is dropped",
                ("kernel.printk_devkmsg = off",),
                "sysctl kernel.printk_devkmsg=ratelimit, or printk.devkmsg= on the kernel's command line",
            )
        )
    elif devkmsg == "ratelimit":
        found.append(
            Finding(
                "note",
                finding.CONSOLE,
                "what programs write to /dev/kmsg is limited: of many lines most are dropped",
                ("kernel.printk_devkmsg = ratelimit",),
            )
        )
    interval, burst = read_sysctl(proc, "printk_ratelimit"), read_sysctl(proc, "printk_ratelimit_burst")
    if interval and burst and interval != "0":
        found.append(
            Finding(
                "note",
                finding.CONSOLE,
                f"of some of the kernel's messages no more than {burst} are printed in {interval} s; it counts the "
                'others in a line "callbacks suppressed"',
                (f"kernel.printk_ratelimit = {interval}, kernel.printk_ratelimit_burst = {burst}",),
            )
        )
    return found
