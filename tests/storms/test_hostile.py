"""A process that calls itself a million names costs no more than the bound allows, and loses nobody a clear."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from figures import Figures
from load import MIB, comes_to, counted_in_kernel, used
from scraper import scraped
from support import CLEAR, CONSOLE_LEVEL, running

NAMES = 1_000_000
EMULATED_NAMES = 100_000
SECONDS = 60
MAX_PAIRS = 512  # the default
LOST = "kmsg_exporter_trace_lost_events_total"


@pytest.mark.parametrize(
    ("action", "metric"), [(CLEAR, "kmsg_clears_total"), (CONSOLE_LEVEL, "kmsg_console_changes_total")]
)
def test_a_million_names_stay_within_the_bounds_and_their_sum_is_exact(
    tmp_path: Path, backend: str, programs: Path, figures: Figures, emulated: bool, action: int, metric: str
) -> None:
    count = EMULATED_NAMES if emulated else NAMES
    with running(tmp_path, backend) as agent:
        agent.count(metric)
        with scraped(agent.port) as scrapers:
            before = used(agent.pid)
            subprocess.run(
                [programs / "names", str(count), str(count / SECONDS), str(action)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            seconds = time.monotonic() - before.moment
            if action == CLEAR and counted_in_kernel():
                comes_to(count, lambda: agent.count(metric))
            else:  # a call is two records
                comes_to(2 * count, lambda: 2 * agent.count(metric) + agent.count(LOST))
            after = used(agent.pid)
        series = agent.samples(metric)
        assert len(series) <= MAX_PAIRS
        assert agent.count(metric, comm="other") > 0
        counted, lost = agent.count(metric), agent.count(LOST)
        names = f"{count:,} names in {seconds:.0f} s, {metric}"
        figures.add(f"{names}: counted, lost records", f"{counted:.0f}, {lost:.0f}")
        more = after.peak_bytes - before.rss_bytes
        figures.add(f"{names}: memory", f"{more / MIB:+.1f} MiB", "at most +10 MiB")
        assert more <= 10 * MIB
        figures.add(f"{names}: CPU", f"{after.share(before, seconds):.0%} of a core")
        figures.add(f"{names}: slowest /metrics", f"{max(one.slowest_seconds for one in scrapers) * 1000:.0f} ms")
