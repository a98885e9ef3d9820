"""Troubles in the log: OOM kills, panics, machine checks, hung tasks, failing disks and file systems."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kmsg_exporter.why.kmsg import Record

# what the kernel prints, oldest wording that 5.10 still has included; the group is what it is about
_KINDS: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "an OOM kill",
            r"[Oo]ut of memory(?: \(oom_kill_allocating_task\))?: Kill(?:ed)? process (\d+ \(.*\))(?=[ ,])",
        ),
        ("a kernel panic", r"Kernel panic - not syncing: (.*)"),
        (
            "a kernel bug",  # a line of `traps:` is of a program that crashed
            r"^(?!traps: )[\s\S]*?(?:kernel BUG at |BUG: unable to handle |general protection fault|Oops: )(.*)",
        ),
        ("a machine check", r"(?:mce: )?\[Hardware Error\]: (?:Machine check|CPU \d+: Machine Check)(.*)"),
        (
            "a hardware error",  # what the firmware found, and what AMD's decoder says of a machine check
            r"\[Hardware Error\]: (?:Hardware error from (APEI .*)|"
            r"((?:Corrected|Uncorrected|Deferred|System Fatal)\b.*))",
        ),
        ("a memory error", r"EDAC \S+: \d+ [CU]E (.*)|Memory failure: (0x[0-9a-f]+): "),
        ("a hung task", r"INFO: task (.+:\d+) blocked (?:for more than|on)"),
        ("a lockup", r"(?:BUG: soft lockup|Watchdog detected hard LOCKUP)(.*)"),
        ("an RCU stall", r"rcu: INFO: (\S+ (?:self-)?detected \S*stalls?.*)"),
        (
            "an I/O error",
            r"(?:I/O error, dev |Buffer I/O error on (?:dev|device) |critical (?:medium|target) error, dev )(\S+?)[ ,]",
        ),
        (
            "a file system error",
            # the count since the last fsck is told each day, of an error of whatever day
            r"EXT4-fs (?:error|warning) \(device (\S+?)\)|EXT4-fs \((\S+?)\): (?:error(?! count since)|Remounting)",
        ),
        (
            "a file system error",
            r"XFS \((\S+?)\): (?:Internal error|Corruption|[Mm]etadata (?:I/O error|corruption)|.*shutting down)",
        ),
        ("a file system error", r"BTRFS(?:: | )(?:error|critical) \(device (\S+?)[:)]"),  # newer kernels: `: state EA)`
    )
)
_OWN_FACILITY: Final = 0  # what programs write to /dev/kmsg has another


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind about one thing. `records` are all of it in log order; the last is what is looked for elsewhere."""

    kind: str
    about: str
    records: tuple[Record, ...]


def find(records: Iterable[Record]) -> list[Trouble]:
    """Newest first. The same thing again (a sector after the other of one disk) is one trouble, but for OOM kills."""
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.facility not in (None, _OWN_FACILITY):
            continue
        text = record.text.decode(errors="replace")
        for kind, pattern in _KINDS:
            if match := pattern.search(text):
                about = next((group for group in match.groups() if group), "").strip(" :,")
                found.setdefault((kind, about), []).append(record)
                break
    troubles = [Trouble(kind, about, tuple(each)) for (kind, about), each in found.items()]
    return sorted(troubles, key=lambda trouble: trouble.records[-1].usec or 0, reverse=True)
