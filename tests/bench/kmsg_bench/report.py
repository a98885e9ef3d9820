"""The figures as Markdown, beside what is to be reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_bench.child import BenchError
from kmsg_bench.cost import NONE, Cost
from kmsg_bench.idle import Idle
from kmsg_bench.latency import Latencies, Latency
from kmsg_bench.start import Start

BEGIN: Final = "<!-- begin of what `make bench` writes -->"
END: Final = "<!-- end of what `make bench` writes -->"

_RSS_MIB = 34.0
_IDLE_SHARE = 0.001
_READY_SECONDS = 0.5
_METRICS_P99_MS = 5.0


@dataclass(frozen=True, slots=True)
class Results:
    facts: str
    cost: Mapping[str, Cost]
    latencies: Latencies
    idle: Idle
    start: Start


def render(results: Results) -> str:
    """All tables."""
    parts = (
        [results.facts + ". Figures are medians, with the smallest and the largest of the rounds in brackets."],
        ["### Goals", "", *_goals(results)],
        ["### What a call costs", "", *_costs(results.cost)],
        ["### From a clear to where it is seen", "", *_latencies(results.latencies)],
        ["### An agent that has nothing to do", "", *_idle(results.idle)],
        ["### From exec to ready", "", *_start(results.start)],
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def write(path: Path, text: str) -> None:
    """Put it between the markers of a file. Raises BenchError when they are not there."""
    whole = path.read_text()
    head, begin, rest = whole.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"{path} has no lines {BEGIN!r} and {END!r} to write between")
    path.write_text(f"{head}{BEGIN}\n\n{text}\n{END}{tail}")


def _goals(results: Results) -> list[str]:
    idle, start, latencies = results.idle, results.start, results.latencies
    goals = (
        ("RSS, push on, idle", idle.memory.rss_mib, _RSS_MIB, "{:.1f} MiB"),
        ("RSS after the first event was sent", idle.after_event.rss_mib, _RSS_MIB, "{:.1f} MiB"),
        ("CPU when idle, of one core", idle.cpu_share, _IDLE_SHARE, "{:.3%}"),
        ("exec to ready, p50", start.ready_seconds.median, _READY_SECONDS, "{:.3f} s"),
        ("clear to /metrics asked right after it, p99", latencies.asked.p99_ms, _METRICS_P99_MS, "{:.2f} ms"),
        ("clear to /metrics polled without a pause, p99", latencies.polled.p99_ms, _METRICS_P99_MS, "{:.2f} ms"),
    )
    rows = [
        (what, text.format(value), "<= " + text.format(goal), "reached" if value <= goal else "**not reached**")
        for what, value, goal, text in goals
    ]
    return _table(("what", "measured", "goal", ""), rows)


def _costs(costs: Mapping[str, Cost]) -> list[str]:
    head = (
        "tracing",
        "syslog(SIZE_BUFFER), ratio",
        "getppid, ratio",
        "syslog, ns",
        "getppid, ns",
        "tracer's CPU a traced call, us",
        "tracer's RSS, MiB",
        "events lost",
    )
    rows = []
    for name, cost in costs.items():
        calls = (f"{cost.traced_ratio:.2f}", f"{cost.unrelated_ratio:.2f}")
        absolute = (f"{cost.traced_ns:.0f}", f"{cost.unrelated_ns:.0f}")
        tracer = (f"{cost.tracer_cpu_us:.1f}", f"{cost.tracer_rss_mib:.0f}", str(cost.lost))
        rows.append((name, *calls, *absolute, *(("", "", "") if name == NONE else tracer)))
    return _table(head, rows)


def _latencies(latencies: Latencies) -> list[str]:
    def row(what: str, one: Latency) -> tuple[str, ...]:
        ratios = (f"{one.p50_ms / latencies.bare_ms:.1f}", f"{one.p99_ms / latencies.bare_ms:.1f}")
        return (
            what,
            *ratios,
            *(f"{figure:.2f}" for figure in (one.p50_ms, one.p99_ms, one.worst_ms, one.poll_ms)),
            str(one.clears),
        )

    head = ("a clear is", "p50, ratio", "p99, ratio", "p50, ms", "p99, ms", "worst, ms", "one look, ms", "clears")
    rows = (
        row("visible in /metrics, asked right after it", latencies.asked),
        row("visible in /metrics, polled without a pause", latencies.polled),
        row("stored at the collector", latencies.stored),
    )
    return [
        *_table(head, rows),
        "",
        f"Ratios are to fork, exec and exit of the program that clears: {latencies.bare_ms:.2f} ms.",
    ]


def _idle(idle: Idle) -> list[str]:
    rows = [
        ("RSS after 30 s", f"{idle.memory.rss_mib:.1f} MiB", f"{idle.memory.rss_mib / idle.bare.rss_mib:.2f}"),
        ("PSS after 30 s", f"{idle.memory.pss_mib:.1f} MiB", f"{idle.memory.pss_mib / idle.bare.pss_mib:.2f}"),
        (
            "RSS after its first event was sent",
            f"{idle.after_event.rss_mib:.1f} MiB",
            f"{idle.after_event.rss_mib / idle.bare.rss_mib:.2f}",
        ),
        (f"CPU over {idle.seconds:.0f} s, of one core", f"{idle.cpu_share:.3%}", ""),
        ("wake-ups a second, all threads", f"{idle.wakeups_per_second:.1f}", ""),
    ]
    return [
        *_table(("push on, no scrape", "measured", "ratio to a Python that only waits"), rows),
        "",
        f"Others made {idle.traced_calls} traced calls in that time.",
    ]


def _start(start: Start) -> list[str]:
    ratio = start.ready_seconds.median / start.bare_seconds.median
    rows = [(f"{start.ready_seconds:.3f}", f"{start.bare_seconds:.3f}", f"{ratio:.1f}")]
    return _table(("agent ready, s", "a Python that does nothing, s", "ratio"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
