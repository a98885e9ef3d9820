"""The agent beside its peers, as goals and tables, for one kernel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kmsg_bench import tracers
from kmsg_bench.comparison import Comparison, Lineup
from kmsg_bench.cost import Cost, noise
from kmsg_bench.figures import Spread
from kmsg_bench.markdown import Goal, table
from kmsg_bench.tracers import AGAIN, NONE

_OF_BPFTRACE: Final = 0.9
_UNTAXED: Final = (tracers.KPROBE, tracers.FUNCTION)


@dataclass(frozen=True, slots=True)
class Beside:
    """One kernel's comparison, `where` it was made, and who was compared."""

    where: str
    lineup: Lineup
    found: Comparison

    def goals(self) -> Iterator[Goal]:
        """A traced call, an unrelated one, and the daemons under the loads."""
        ours, peer = self.lineup.ours, self.lineup.peer
        costs = self.found.costs
        yield Goal(
            f"syslog(2) {self.where}, {ours} / {peer}",
            costs[ours].traced_beside(costs[peer]),
            _OF_BPFTRACE,
            instead=self._parts(),
        )
        for name in _UNTAXED:
            if name in costs:
                yield Goal(
                    f"getppid {self.where}, {name} / none",
                    # in hundredths, as the table shows them
                    round(costs[name].unrelated_beside(costs[NONE]), 2),
                    round(noise(costs), 2),
                    instead="nothing of ours is on its way: see how far the rounds lie apart",
                )
        for kind, by_tracer in self.found.loads.items():
            mine, others = by_tracer[ours], by_tracer[self.lineup.loaded_peer]
            yield Goal(
                f"CPU under the {kind} {self.where}, {ours}",
                mine.cpu_seconds / mine.seconds,
                others.cpu_seconds / others.seconds,
                "{:.1%}",
                instead=self.found.profiles.get(kind, ""),
            )
            yield Goal(
                f"largest RSS under the {kind} {self.where}, {ours}", mine.peak_mib, others.peak_mib, "{:.0f} MiB"
            )

    def sections(self) -> Iterator[list[str]]:
        """The tables, each with its heading."""
        yield [f"### What a call costs {self.where}", "", *self._costs()]
        yield [f"### Which part of it costs what {self.where}", "", *self._rungs()]
        yield [f"### What a load costs the daemon {self.where}", "", *self._loads()]

    def _costs(self) -> list[str]:
        head = (
            *("tracing", "syslog(SIZE_BUFFER), ratio", f"to {self.lineup.peer}", "getppid, ratio"),
            *("syslog, ns", "getppid, ns", "tracer's CPU a traced call, us", "tracer's RSS, MiB", "events lost"),
        )
        peer = self.found.costs[self.lineup.peer]
        rows = (_cost_row(name, cost, peer) for name, cost in self.found.costs.items())
        return [*table(head, rows), "", f"The kernel is {self.found.kernel}."]

    def _rungs(self) -> list[str]:
        rows = [(name, f"{ratio:.2f}", f"{spread:.0f}" if spread else "") for name, ratio, spread in self._ladder()]
        whole = self.found.costs[self.lineup.ours]
        stopped = whole.stopped_ratio.median if whole.stopped_ratio else 0.0
        return [
            *table(("what is on", "syslog(SIZE_BUFFER), ratio", "ns"), rows),
            "",
            "These are the fastest bursts, which nobody else has disturbed. In the median one the whole agent is at "
            f"{whole.traced_ratio.median:.2f}, at {stopped:.2f} stopped during the burst.",
        ]

    def _ladder(self) -> Iterator[tuple[str, float, Spread | None]]:
        """Each part with its ratio and nanoseconds, then those who are compared: all by their fastest bursts."""
        rungs, ours, peer = self.found.rungs, self.lineup.ours, self.lineup.peer
        bare = next(iter(rungs.values())).median
        yield from ((name, spread.median / bare, spread) for name, spread in rungs.items())
        whole = self.found.costs[ours]
        if whole.stopped_fastest_ratio:
            yield "the whole agent, stopped during the burst", whole.stopped_fastest_ratio.median, None
        yield "the whole agent, which is woken and reads", whole.fastest_ratio.median, None
        yield peer, self.found.costs[peer].fastest_ratio.median, None

    def _loads(self) -> list[str]:
        head = ("load", "daemon", "calls a second", "its CPU, of one core", "largest RSS, MiB", "counted", "lost")
        rows = [
            (
                *(kind, name, f"{load.calls / load.seconds:,.0f}", f"{load.cpu_seconds / load.seconds:.1%}"),
                f"{load.peak_mib:.0f}",
                "" if load.counted is None else f"{load.counted / load.calls:.1%}",
                str(load.lost),
            )
            for kind, by_tracer in self.found.loads.items()
            for name, load in by_tracer.items()
        ]
        return table(head, rows)

    def _parts(self) -> str:
        """The ladder in one line."""
        _, *ladder = self._ladder()
        parts = (f"{name} {ratio:.2f}" for name, ratio, _ in ladder)
        return f"of a call without tracing: {'; '.join(parts)}"


def _cost_row(name: str, cost: Cost, peer: Cost) -> tuple[str, ...]:
    tracer = (f"{cost.tracer_cpu_us.median:.1f}", f"{cost.tracer_rss_mib.median:.0f}", str(cost.lost))
    return (
        *(name, f"{cost.traced_ratio:.2f}", f"{cost.traced_beside(peer):.2f}", f"{cost.unrelated_ratio:.2f}"),
        *(f"{cost.traced_median_ns:.0f}", f"{cost.unrelated_median_ns:.0f}"),
        *(("", "", "") if name in (NONE, AGAIN) else tracer),
    )
