"""Dynamic events: kprobe and return probe definitions, and how often each was hit and missed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kmsg_exporter.tracefs.files import Tracefs

KPROBE_EVENTS = "kprobe_events"
_PROFILE = re.compile(r"\s*(\S+)\s+(\d{1,20})\s+(\d{1,20})\s*")


@dataclass(frozen=True, slots=True)
class Kprobe:
    """A probe on a function's entry: `str(Kprobe("kmsg", "clear", "f")) == "p:kmsg/clear f"`."""

    group: str
    name: str
    symbol: str
    fetchargs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((f"p:{self.group}/{self.name}", self.symbol, *self.fetchargs))


@dataclass(frozen=True, slots=True)
class Kretprobe:
    """A probe on a function's return. `maxactive` calls at once can be followed, the rest count as missed."""

    group: str
    name: str
    symbol: str
    fetchargs: tuple[str, ...] = ()
    # A reader that blocks holds one for as long as it waits. The kernel makes room for all of them at once: 4,096, the
    # most that it takes, are some 250 KiB a probe (6.1, 6.12), and whoever can have 256 readers wait can have as many.
    maxactive: int = 256

    def __str__(self) -> str:
        return " ".join((f"r{self.maxactive}:{self.group}/{self.name}", self.symbol, *self.fetchargs))


@dataclass(frozen=True, slots=True)
class ProbeProfile:
    """A line of `kprobe_profile`: how often the kernel ran the probe, and how often it could not."""

    hits: int
    missed: int


def define(tracefs: Tracefs, probe: Kprobe | Kretprobe) -> None:
    """Define one probe beside everybody else's. Raises TracefsRejected, FeatureUnavailable."""
    tracefs.write(KPROBE_EVENTS, f"{probe}\n")


def undefine(tracefs: Tracefs, group: str) -> None:
    """Remove every probe of one group and nothing else."""
    for name in defined(tracefs, group):
        tracefs.write(KPROBE_EVENTS, f"-:{group}/{name}\n")


def defined(tracefs: Tracefs, group: str) -> dict[str, str]:
    """The probes of one group as the kernel lists them: name -> definition."""
    if not tracefs.exists(KPROBE_EVENTS):
        return {}
    found = {}
    for line in tracefs.read(KPROBE_EVENTS).splitlines():
        head = line.partition(" ")[0].partition(":")[2]
        owner, _, name = head.partition("/")
        if owner == group and name:
            found[name] = line
    return found


def profiles(tracefs: Tracefs) -> dict[str, ProbeProfile]:
    """`kprobe_profile` by event name (it does not say which group, so our names are ours alone)."""
    if not tracefs.exists("kprobe_profile"):
        return {}
    found = {}
    for line in tracefs.read("kprobe_profile").splitlines():
        if match := _PROFILE.fullmatch(line):
            found[match[1]] = ProbeProfile(int(match[2]), int(match[3]))
    return found
