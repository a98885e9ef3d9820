#!/usr/bin/env python3
"""Takes the figures for deploy/README.md and prints them; with --write puts them there. Run as root."""

from __future__ import annotations

import argparse
import http.client
import os
import platform
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import event
from herd import events_per_second
from nodes import PROBES, Node, at_bound, at_rest, ordinary
from page import EVERY_WAY, FEWER, ONE_WAY, ORDINARY, PAGE, REST, Results, real, render, write
from scrape import Scrape, scrape, serving
from services import SizingError, agent, collector, metrics, until

MODELLED: Final[Mapping[str, Callable[[], Node]]] = {
    REST: at_rest,
    ORDINARY: ordinary,
    ONE_WAY: lambda: at_bound(every_way=False),
    EVERY_WAY: lambda: at_bound(every_way=True),
    FEWER: lambda: at_bound(every_way=True, max_pairs=64),
}


def main() -> int:
    """Exit code 1 when the figures could not be taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put them into deploy/README.md, too")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what it started is stopped
    try:
        text = render(measure())
        print(text)
        if options.write:
            write(PAGE, text)
    except (SizingError, OSError, http.client.HTTPException) as exc:
        print(f"sizing: {exc}", file=sys.stderr)
        return 1
    return 0


def measure() -> Results:
    """Everything, one thing after the other."""
    with tempfile.TemporaryDirectory(prefix="kmsg-sizing-") as name:
        row, resting = real_agent(Path(name))
        scrapes = {row: resting}
        for row, make in MODELLED.items():
            with serving(make()) as port:
                scrapes[row] = scrape(port)
        with collector(Path(name)) as port:
            rate = events_per_second(port)
    kernel = ".".join(platform.release().split(".")[:2])
    facts = (
        f"Linux {kernel}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}. "
        "Durations are medians, on a machine that had other work too."
    )
    return Results(facts, scrapes, event.measure(), event.largest(), rate)


def real_agent(directory: Path) -> tuple[str, Scrape]:
    """An agent at rest on this machine, and its row's name. One before it tells what there is to tell."""
    with agent(directory) as port:
        until(lambda: _all_told(metrics(port)), "what happened to the log before to be sent")
    with agent(directory) as port:
        until(lambda: "kmsg_records_total" in metrics(port), "the records of the log to be counted")
        shown = metrics(port)
        taken = scrape(port)
    backend = next(found[1] for name in shown if (found := re.search(r'backend="(\w+)"', name)))
    readers = sum(name.startswith("kmsg_readers{") for name in shown)
    if backend not in PROBES:
        raise SizingError(f"backend {backend}: tests/sizing/nodes.py knows what these show: {', '.join(PROBES)}")
    with serving(at_rest(backend, readers=readers)) as port:
        expected = scrape(port, rounds=1).series
    if taken.series != expected:
        raise SizingError(
            f"the agent at rest shows {taken.series} series, tests/sizing/nodes.py says {expected}: "
            "was the log used meanwhile? Then run it again; else correct nodes.py"
        )
    return real(backend, readers), taken


def _all_told(shown: dict[str, float]) -> bool:
    return shown["kmsg_exporter_push_sent_total"] >= shown["kmsg_emptied_total"]


if __name__ == "__main__":
    sys.exit(main())
