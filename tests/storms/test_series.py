"""No series goes down or away while the agent lives, also where somebody takes away what it had attached."""

from __future__ import annotations

from pathlib import Path

import pytest
from scraper import Scraper, counters, scraped
from support import CLEAR, TRACEFS, Agent, eventually, klogctl, running

URGENT = TRACEFS / "instances" / "kmsg_exporter"
CALLS = 10
ANSWER = """\
# TYPE kmsg_clears_total counter
kmsg_clears_total{comm="a b",action="clear"} 7
# TYPE kmsg_empty gauge
kmsg_empty 1
# TYPE process_start_time_seconds gauge
process_start_time_seconds 100
"""
SERIES = 'kmsg_clears_total{comm="a b",action="clear"}'


def test_no_series_goes_down_or_away_when_somebody_switches_off_our_events(tmp_path: Path, backend: str) -> None:
    with running(tmp_path, backend) as agent, scraped(agent.port) as scrapers:
        for time in (1, 2, 3):
            clear_and_look(agent, CALLS * time, scrapers[1])
            (URGENT / "events" / "enable").write_text("0")
            attached_again(agent, time)
        clear_and_look(agent, CALLS * 4, scrapers[1])


def clear_and_look(agent: Agent, until: int, scraper: Scraper) -> None:
    """Clear some times, so that there are `until` in all, and wait until they were scraped."""
    for _ in range(CALLS):
        klogctl(CLEAR)
    eventually(lambda: agent.count("kmsg_clears_total") == until)
    eventually(lambda: agent.count("kmsg_exporter_probe_hits_total", probe="syslog_enter") >= until)
    scrapes = scraper.scrapes
    eventually(lambda: scraper.scrapes > scrapes + 1)


def attached_again(agent: Agent, times: int) -> None:
    eventually(lambda: agent.log().count("is attached now") == times)


@pytest.mark.parametrize(
    ("after", "faults"),
    [
        ({}, []),
        ({SERIES: 8.0}, []),
        ({SERIES: 6.0}, [f"{SERIES} fell from 7 to 6"]),
        ({SERIES: None}, [f"{SERIES} went away"]),
        ({SERIES: 0.0, "process_start_time_seconds": 200.0}, []),
    ],
)
def test_scraper_tells_what_fell_and_what_went_away(after: dict[str, float | None], faults: list[str]) -> None:
    before = counters(ANSWER)
    assert before == {SERIES: 7.0, "process_start_time_seconds": 100.0}
    scraper = Scraper(0, scraping=False)
    scraper.compare(before)
    scraper.compare({series: value for series, value in (before | after).items() if value is not None})
    assert scraper.faults == faults
