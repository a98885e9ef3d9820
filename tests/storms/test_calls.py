"""Calls at full speed: totals are exact, and the agent stays small."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from figures import Figures
from load import MIB, Used, comes_to, counted_in_kernel, used
from scraper import Scraper, scraped
from support import Agent, running

SECONDS = 10
READS_PER_SECOND = 100_000
OTHER = ("other", "other")
FULL_BYTES = 6 * MIB  # what full buffers take, once: 4.1 MiB were seen, on a machine with other things to do
LOST = "kmsg_exporter_trace_lost_events_total"


def test_a_clear_loop_at_full_speed_is_counted_to_the_last(
    tmp_path: Path, backend: str, programs: Path, figures: Figures
) -> None:
    with running(tmp_path, backend) as agent, scraped(agent.port) as scrapers:
        calls = int(run(programs / "clears", 1))  # what is needed once for each caller
        clears_come_to(calls, agent)
        before = used(agent.pid)
        more = int(run(programs / "clears", SECONDS))
        calls += more
        clears_come_to(calls, agent)
        after = used(agent.pid)
        counted = {(labels["comm"], labels["exe"]) for labels, _ in agent.samples("kmsg_clears_total")}
        assert {("clears", str(programs / "clears"))} <= counted <= {("clears", str(programs / "clears")), OTHER}
        clears, lost = agent.count("kmsg_clears_total"), agent.count(LOST)
        what = f"clear loop, {more // SECONDS:,} a second"
        figures.add(f"{what}: counted, lost records", f"{clears:.0f} of {calls}, {lost:.0f}")
        report(figures, what, before, after, scrapers, share=0.25)
        calls += int(run(programs / "clears", SECONDS))
        clears_come_to(calls, agent)
        twice = used(agent.pid).peak_bytes
        figures.add(f"{what}, once more: memory", f"{(twice - after.peak_bytes) / MIB:+.1f} MiB", "+0")
        assert twice - before.peak_bytes <= FULL_BYTES


@pytest.mark.backends("kprobe")
def test_a_read_storm_is_counted_to_the_last(tmp_path: Path, backend: str, programs: Path, figures: Figures) -> None:
    with running(tmp_path, backend) as agent, scraped(agent.port) as scrapers:
        rested = used(agent.pid)
        run(programs / "reads", SECONDS, READS_PER_SECOND, "/dev/zero")  # a CPU as busy, with what concerns nobody
        before = used(agent.pid)
        calls, nbytes = map(int, run(programs / "reads", SECONDS, READS_PER_SECOND, "/dev/kmsg").split())
        labels = {"comm": "reads", "exe": str(programs / "reads"), "interface": "dev_kmsg"}
        if counted_in_kernel():
            comes_to(calls, lambda: agent.count("kmsg_reads_total", **labels))
            assert agent.count("kmsg_read_bytes_total", **labels) == nbytes
        else:  # a call is a record
            comes_to(calls, lambda: agent.count("kmsg_reads_total", **labels) + agent.count(LOST))
            assert 0 < agent.count("kmsg_read_bytes_total", **labels) <= nbytes
        after = used(agent.pid)
        what = f"read storm, {calls // SECONDS:,} a second"
        figures.add(
            f"{what}: counted, lost records",
            f"{agent.count('kmsg_reads_total', **labels):.0f} of {calls}, {agent.count(LOST):.0f}",
        )
        report(figures, what, before, after, scrapers, share=before.share(rested, SECONDS) + 0.002)


def clears_come_to(calls: int, agent: Agent) -> None:
    """All of them are counted, or counted as lost."""
    if counted_in_kernel():  # also those that nobody can be named for: their records were lost around its exec
        comes_to(calls, lambda: agent.count("kmsg_clears_total"))
    else:  # a call is two records
        comes_to(2 * calls, lambda: 2 * agent.count("kmsg_clears_total") + agent.count(LOST))


def run(program: Path, *arguments: float | str) -> str:
    return subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def report(
    figures: Figures, what: str, before: Used, after: Used, scrapers: tuple[Scraper, ...], *, share: float
) -> None:
    figures.add(f"{what}: CPU", f"{after.share(before, SECONDS):.1%} of a core", f"at most {share:.1%}")
    figures.add(f"{what}: memory", f"{(after.peak_bytes - before.peak_bytes) / MIB:+.1f} MiB", "+0")
    figures.add(
        f"{what}: slowest /metrics", f"{max(one.slowest_seconds for one in scrapers) * 1000:.0f} ms", "at most 100 ms"
    )
