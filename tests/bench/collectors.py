"""The collectors' bench: prints the table, and with --write puts it into README.md. It touches no kernel log."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from itertools import groupby
from pathlib import Path

from kmsg_bench import machine
from kmsg_bench.child import BenchError
from kmsg_bench.collectors import EMBEDDED, OTELCOL, STORED, Run, measure
from kmsg_bench.markdown import Goal, table
from kmsg_bench.report import write

_HERE = Path(__file__).parent
_BEGIN = "<!-- begin of what tests/bench/collectors.py writes -->"
_END = "<!-- end of what tests/bench/collectors.py writes -->"


def main() -> int:
    """Exit code 0 whatever the figures are, 1 when they could not be taken."""
    options = _options()
    try:
        text = _measured(options)
    except BenchError as exc:
        print(f"collectors: {exc}", file=sys.stderr)
        return 1
    print(text)
    if options.write:
        write(_HERE / "README.md", text, begin=_BEGIN, end=_END)
    return 0


def render(facts: str, runs: list[Run], options: argparse.Namespace) -> str:
    """The goals, and every run."""
    goals = [goal for _, pair in groupby(runs, lambda run: run.stored) for goal in _goals(list(pair))]
    latencies = ("p50, ms", "p99, ms")
    head = ("stored before", "connections", "collector", "events a second", *latencies, "CPU an event, us", "RSS, MiB")
    rows = [
        (
            f"{run.stored:,}",
            str(run.connections),
            run.who,
            f"{run.events_per_second:.0f}",
            f"{run.p50_ms:.1f}",
            f"{run.p99_ms:.1f}",
            f"{run.cpu_us:.0f}",
            f"{run.peak_mib:.0f}",
        )
        for run in sorted(runs, key=lambda run: (run.stored, run.connections))
    ]
    goal_table = table(("what", "measured", "goal", ""), (goal.row() for goal in goals))
    about = f"{facts}. Medians of {options.rounds} rounds of {options.seconds:g} s, with the smallest and the largest."
    return "\n".join([about, "", *goal_table, "", *table(head, rows)]) + "\n"


def _goals(runs: list[Run]) -> list[Goal]:
    by_who = {(run.who, run.connections): run for run in runs}
    goals = []
    for connections in sorted({run.connections for run in runs}):
        ours, theirs = by_who[EMBEDDED, connections], by_who[OTELCOL, connections]
        where = f"{connections} connections, {ours.stored:,} stored"
        rate = theirs.events_per_second.median / ours.events_per_second.median
        goals.append(Goal(f"the Collector's events a second to ours, {where}", rate, 1.0))
        goals.append(Goal(f"our memory to the Collector's, {where}", ours.peak_mib / theirs.peak_mib, 1.0))
    return goals


def _measured(options: argparse.Namespace) -> str:
    facts = machine.facts(options.path_procfs)
    otelcol = options.otelcol or _built()
    with tempfile.TemporaryDirectory(prefix="kmsg-bench-", dir=options.directory) as name:
        directory = Path(name)
        machine.byte_compile(directory / "pycache")
        senders = directory / "bench-senders"
        source = _HERE / "programs" / "senders.c"
        subprocess.run(["gcc", "-O2", "-Wall", "-pthread", "-o", senders, source], check=True)
        runs = measure(
            otelcol, senders, directory, seconds=options.seconds, rounds=options.rounds, stored=options.stored
        )
    return render(facts, runs, options)


def _built() -> Path:
    setup: list[str | Path] = [_HERE.parent / "otel" / "setup.sh", "collector"]
    return Path(subprocess.run(setup, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into README.md, too")
    parser.add_argument("--seconds", type=float, default=3, help="of each load (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each load (default: %(default)s)")
    parser.add_argument("--stored", type=int, nargs="+", default=list(STORED), help="(default: %(default)s)")
    parser.add_argument("--otelcol", type=Path, help="a Collector of your own (default: what tests/otel builds)")
    parser.add_argument("--directory", type=Path, help="where stores are made: a disk, not memory (default: TMPDIR)")
    parser.add_argument("--path.procfs", dest="path_procfs", type=Path, default=Path("/proc"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
