"""How long the collector's pages take it: a store with many events, each page asked for a few times, a table.

With --write it goes into tests/bench/README.md, whose code it shares (PYTHONPATH=tests/bench). It clears no kernel log.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet import fill
from kmsg_bench import machine
from kmsg_bench.child import BenchError
from kmsg_bench.figures import Spread
from kmsg_bench.markdown import Goal, table
from kmsg_bench.report import write

from kmsg_exporter.collector.schema import STORE_NAME
from kmsg_exporter.collector.server import CollectorServer

TIMES: Final = 9
FIRST: Final = "/"
FIRST_MS: Final = 200.0
PAGES: Final = (
    FIRST, "/?since=1h", "/?since=30d", "/?since=all", "/?since=all&comm=dmesg", "/?since=all&severe=1",
    "/?since=all&unexpected=1&cluster=fra-1", "/?since=all&origin=curl", "/?since=all&exe=/nope",
    "/node?node=fra-1-worker-076", "/agents", "/?q=postgres", "/?since=all&q=postgres", "/?since=all&q=zzznothing",
    "/api/events", "/api/events?limit=500", "/api/events?q=zzznothing", "/api/events?arrived_after=0&limit=1",
)  # fmt: skip
_README: Final = Path(__file__).parent.parent / "bench" / "README.md"
_BEGIN: Final = "<!-- begin of what tests/page/measure.py writes -->"
_END: Final = "<!-- end of what tests/page/measure.py writes -->"


@dataclass(frozen=True, slots=True)
class Asked:
    """One page, from the request to the last byte of its answer."""

    page: str
    milliseconds: Spread
    kib: int


def main() -> int:
    """Exit code 0 whatever the figures are, 1 when they could not be taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into tests/bench/README.md, too")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--store", type=Path, help="a directory to make the store in, or one that has it from before")
    options = parser.parse_args()
    try:
        text = _measured(options)
        print(text)
        if options.write:
            write(_README, text, begin=_BEGIN, end=_END)
    except BenchError as exc:
        print(f"measure: {exc}", file=sys.stderr)
        return 1
    return 0


def render(facts: str, events: int, asked: list[Asked]) -> str:
    """The goal, and every page."""
    (first,) = (each for each in asked if each.page == FIRST)
    goal = Goal(f"the first page, {events:,} events stored", first.milliseconds.median, FIRST_MS, "{:.0f} ms")
    rows = ((f"`{each.page}`", f"{each.milliseconds:.0f}", f"{each.kib:,}") for each in asked)
    about = f"{facts}. {events:,} events stored. Medians of {TIMES}, with the smallest and the largest."
    goals = table(("what", "measured", "goal", ""), [goal.row()])
    return "\n".join([about, "", *goals, "", *table(("page", "ms", "KiB"), rows)]) + "\n"


def _measured(options: argparse.Namespace) -> str:
    facts = machine.facts(Path("/proc"))
    with tempfile.TemporaryDirectory(prefix="kmsg-bench-") as made:
        directory = options.store or Path(made)
        if not (directory / STORE_NAME).exists():
            fill(directory / STORE_NAME, options.events, now_ns=time.time_ns())
        with CollectorServer("127.0.0.1", 0, directory) as server:
            return render(facts, options.events, [_asked(server.port, page) for page in PAGES])


def _asked(port: int, page: str) -> Asked:
    seconds, sizes = zip(*(_ask(port, page) for _ in range(TIMES)), strict=True)
    return Asked(page, Spread.of([each * 1000 for each in seconds]), max(sizes) // 1024)


def _ask(port: int, page: str) -> tuple[float, int]:
    began = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", page)
        answer = connection.getresponse()
        body = answer.read()
    if answer.status != 200:
        raise BenchError(f"{page}: {answer.status} {body[:200]!r}")
    return time.monotonic() - began, len(body)


if __name__ == "__main__":
    sys.exit(main())
