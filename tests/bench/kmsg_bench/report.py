"""The figures as Markdown, beside what is to be reached."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_bench.beside import Beside
from kmsg_bench.child import BenchError
from kmsg_bench.idle import Idle
from kmsg_bench.latency import Latencies, Latency
from kmsg_bench.markdown import Goal, table
from kmsg_bench.start import Start

BEGIN: Final = "<!-- begin of what `make bench` writes -->"
END: Final = "<!-- end of what `make bench` writes -->"

_RSS_MIB = 34.0
_IDLE_SHARE = 0.001
_READY_SECONDS = 0.5
_METRICS_P99_MS = 5.0
_STORED_P99_MS = 50.0


@dataclass(frozen=True, slots=True)
class Results:
    facts: str
    beside: tuple[Beside, ...]
    latencies: Latencies
    idle: Idle
    start: Start


def render(results: Results) -> str:
    """All tables, and what the time is where a goal was not reached."""
    goals = _goals(results)
    missed = [f"- {goal.what}: {goal.instead}" for goal in goals if goal.instead and not goal.reached]
    parts = (
        [results.facts + ". Figures are medians, with the smallest and the largest of the rounds in brackets."],
        ["### Goals", "", *table(("what", "measured", "goal", ""), (goal.row() for goal in goals))],
        *([["Where the rest is:", "", *missed]] if missed else []),
        *(section for each in results.beside for section in each.sections()),
        ["### From a clear to where it is seen", "", *_latencies(results.latencies, results.start.first_stored)],
        ["### An agent that has nothing to do", "", *_idle(results.idle)],
        ["### From exec to ready", "", *_start(results.start)],
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def write(path: Path, text: str, *, begin: str = BEGIN, end: str = END) -> None:
    """Put it between the markers of a file. Raises BenchError when they are not there."""
    whole = path.read_text()
    head, begins, rest = whole.partition(begin)
    _, ends, tail = rest.partition(end)
    if not begins or not ends:
        raise BenchError(f"{path} has no lines {begin!r} and {end!r} to write between")
    path.write_text(f"{head}{begin}\n\n{text}\n{end}{tail}")


def _goals(results: Results) -> list[Goal]:
    idle, start, latencies = results.idle, results.start, results.latencies
    return [
        Goal("RSS, push on, idle", idle.memory.rss_mib, _RSS_MIB, "{:.1f} MiB"),
        Goal("RSS after the first event was sent", idle.after_event.rss_mib, _RSS_MIB, "{:.1f} MiB"),
        Goal("CPU when idle, of one core", idle.cpu_share, _IDLE_SHARE, "{:.3%}"),
        Goal("exec to ready, p50", start.ready_seconds.median, _READY_SECONDS, "{:.3f} s"),
        Goal("clear to /metrics asked right after it, p99", latencies.asked.p99_ms, _METRICS_P99_MS, "{:.2f} ms"),
        Goal("clear to /metrics polled without a pause, p99", latencies.polled.p99_ms, _METRICS_P99_MS, "{:.2f} ms"),
        Goal("clear to the collector's store, p99", latencies.stored.p99_ms, _STORED_P99_MS, "{:.1f} ms"),
        Goal("the first clear in an agent's life, worst", start.first_stored.worst_ms, _STORED_P99_MS, "{:.1f} ms"),
        *(goal for each in results.beside for goal in each.goals()),
    ]


def _latencies(latencies: Latencies, first: Latency) -> list[str]:
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
        row("stored at the collector, the first in an agent's life", first),
    )
    return [
        *table(head, rows),
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
        *table(("push on, no scrape", "measured", "ratio to a Python that only waits"), rows),
        "",
        f"Others made {idle.traced_calls} traced calls in that time.",
    ]


def _start(start: Start) -> list[str]:
    ratio = start.ready_seconds.median / start.bare_seconds.median
    rows = [(f"{start.ready_seconds:.3f}", f"{start.bare_seconds:.3f}", f"{ratio:.1f}")]
    return table(("agent ready, s", "a Python that does nothing, s", "ratio"), rows)
