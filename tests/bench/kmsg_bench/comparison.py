"""One kernel's figures: who is compared there, what a call costs each of them, and what a load costs each daemon."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from kmsg_bench import cost, ladder, load, tracers
from kmsg_bench.cost import Cost, Effort
from kmsg_bench.figures import Spread
from kmsg_bench.ladder import Rung
from kmsg_bench.load import CLEARS, READS, Load
from kmsg_bench.tracers import Site
from kmsg_exporter.tracefs.files import Tracefs


@dataclass(frozen=True, slots=True)
class Lineup:
    """`ours` and the `peer` that counts the same; who else is shown; and who counts the same under a load."""

    ours: str
    peer: str
    others: tuple[str, ...]
    loaded_peer: str
    rungs: tuple[Rung, ...]

    def without(self, name: str) -> Lineup:
        return replace(self, others=tuple(other for other in self.others if other != name))


NATIVE: Final = Lineup(
    tracers.TRACEPOINT,
    tracers.BPF_TRACEPOINT,
    (tracers.AUDIT, tracers.COMPAT),
    tracers.BPF_TRACEPOINT,
    ladder.TRACEPOINT,
)
IN_GUEST: Final = Lineup(
    tracers.KPROBE,
    tracers.BPF_KPROBE,
    (tracers.FUNCTION, tracers.AUDIT),
    tracers.BPF_KPROBE_READS,
    ladder.KPROBE,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`loads` by load and tracer; `profiles` of our agent under the loads in which it took more CPU than its peer."""

    kernel: str
    costs: Mapping[str, Cost]
    rungs: Mapping[str, Spread]
    loads: Mapping[str, Mapping[str, Load]]
    profiles: Mapping[str, str]

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Comparison:
        """What `asdict` and json have made of one."""
        return cls(
            found["kernel"],
            {name: _cost(values) for name, values in found["costs"].items()},
            {name: Spread(**values) for name, values in found["rungs"].items()},
            {
                kind: {name: Load(**values) for name, values in by_tracer.items()}
                for kind, by_tracer in found["loads"].items()
            },
            found["profiles"],
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    lineup: Lineup, site: Site, programs: Path, tracefs: Tracefs, effort: Effort, *, load_seconds: float
) -> Comparison:
    """All of it on the kernel that runs. Raises BenchError."""
    say("what a call costs")
    costs = cost.measure((lineup.ours, lineup.peer, *lineup.others), site, programs, effort)
    say("what its parts cost")
    rungs = ladder.measure(tracefs, programs, effort, lineup.rungs)
    loads: dict[str, dict[str, Load]] = {}
    profiles = {}
    for kind in (CLEARS, READS):
        say(f"{kind}: what it costs the daemons")
        names = [lineup.ours, lineup.loaded_peer]
        if kind == CLEARS and tracers.AUDIT in lineup.others:  # its rule is for syslog(2): it sees no read of a file
            names.append(tracers.AUDIT)
        loads[kind] = {name: load.measure(kind, name, site, programs, load_seconds) for name in names}
        if loads[kind][lineup.ours].cpu_seconds > loads[kind][lineup.loaded_peer].cpu_seconds:
            profiles[kind] = load.profile(kind, lineup.ours, site, programs, load_seconds / 2)
    return Comparison(platform.release(), costs, rungs, loads, profiles)


def say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


def _cost(values: Mapping[str, Any]) -> Cost:
    def revived(value: Any) -> Any:
        if isinstance(value, dict):
            return Spread(**value)
        return tuple(value) if isinstance(value, list) else value

    return Cost(**{name: revived(value) for name, value in values.items()})
