"""The figures as Markdown, the arithmetic from one node to a fleet, and where both stand in deploy/README.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from event import EventSize
from scrape import Scrape
from services import SizingError

PAGE: Final = Path(__file__).parents[2] / "deploy" / "README.md"
BEGIN: Final = "<!-- begin of what `make sizing` writes -->"
END: Final = "<!-- end of what `make sizing` writes -->"

REST: Final = "at rest, backend `kprobe`"
ORDINARY: Final = "ordinary: six programs use the log, backend `kprobe`"
ONE_WAY: Final = "at the bound: 512 names in each family, each used in one way"
EVERY_WAY: Final = "the same, each used in every way there is"
FEWER: Final = "in every way, with `--metrics.max-pairs=64`"

NODES: Final = 10_000
ADDED_BY_PROMETHEUS: Final = 5  # up, scrape_duration_seconds and three more for each target
INTERVALS: Final = (15, 30, 60)
KIB_A_SERIES: Final = (3, 8)
BYTES_A_SAMPLE: Final = 2
_REAL: Final = re.compile(r"at rest: a real agent, backend `(\w+)`, (\d+) readers")
_ROW: Final = re.compile(r"^\| ([^|]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) ms \|$", re.MULTILINE)
_EVENT: Final = re.compile(r"^\| one event with 50 lines \| 1 \| ([\d,]+) bytes \| ([\d,]+) bytes \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Results:
    """Scrapes by the name of their row, in the order of the rows."""

    facts: str
    scrapes: Mapping[str, Scrape]
    event: EventSize
    largest_event: int
    collector_events_per_second: float


def real(backend: str, readers: int) -> str:
    """The name of the row of the agent that really ran."""
    return f"at rest: a real agent, backend `{backend}`, {readers} readers"


def event_size(page: str) -> EventSize:
    """The typical event, read back from the page. Raises ValueError when it is not there."""
    ((packed, plain),) = _EVENT.findall(page)
    return EventSize(_number(plain), _number(packed))


def what_really_ran(row: str) -> tuple[str, int] | None:
    """The reverse of `real`; None for another row."""
    found = _REAL.fullmatch(row)
    return (found[1], int(found[2])) if found else None


def scrapes(page: str) -> dict[str, Scrape]:
    """The first table, read back from the page."""
    return {
        row: Scrape(_number(series), _number(plain), _number(packed), float(milliseconds))
        for row, series, plain, packed, milliseconds in _ROW.findall(page)
    }


def render(results: Results) -> str:
    """All that stands between the marks."""
    parts = (
        results.facts,
        scrape_table(results.scrapes),
        prometheus_table(results.scrapes[REST], results.scrapes[ORDINARY]),
        gateway_table(results.event, results.largest_event),
        f"The embedded collector stores {results.collector_events_per_second:,.0f} such events a second here, "
        "each in a request of its own.",
    )
    return "\n\n".join(parts)


def scrape_table(rows: Mapping[str, Scrape]) -> str:
    """One row for each kind of node."""
    head = ("one node", "series", "bytes of a scrape, plain", "gzip", "a scrape takes")
    return _table(
        head,
        [
            (row, f"{one.series:,}", f"{one.plain_bytes:,}", f"{one.gzip_bytes:,}", f"{one.milliseconds:.1f} ms")
            for row, one in rows.items()
        ],
    )


def prometheus_table(rest: Scrape, ordinary: Scrape) -> str:
    """What NODES such nodes are for Prometheus."""
    both = (rest, ordinary)
    series = [NODES * (one.series + ADDED_BY_PROMETHEUS) for one in both]
    rows: list[Sequence[str]] = [
        ("active series", *(f"{count:,}" for count in series)),
        (
            f"memory for them, at {KIB_A_SERIES[0]} to {KIB_A_SERIES[1]} KiB a series",
            *(" to ".join(f"{count * kib / 2**20:.1f}" for kib in KIB_A_SERIES) + " GiB" for count in series),
        ),
    ]
    rows.extend(
        (f"samples a second, every {seconds} s", *(f"{count // seconds:,}" for count in series))
        for seconds in INTERVALS
    )
    rows.extend(
        (
            f"bodies over the network, gzip, every {seconds} s",
            *(f"{NODES * one.gzip_bytes / seconds / 1e6:.2f} MB/s" for one in both),
        )
        for seconds in INTERVALS
    )
    day = (f"{count * 86_400 / 30 * BYTES_A_SAMPLE / 1e9:.1f} GB" for count in series)
    rows.append((f"disk a day at {BYTES_A_SAMPLE} bytes a sample, every 30 s", *day))
    return _table((f"{NODES:,} nodes, Prometheus", "all at rest", "all ordinary"), rows)


def gateway_table(event: EventSize, largest: int) -> str:
    """What NODES nodes are for the gateway."""
    plain, packed = NODES * event.plain_bytes / 1e6, NODES * event.gzip_bytes / 1e6
    return _table(
        (f"{NODES:,} nodes, gateway", "requests", "gzip, over the network", "JSON, to decode and store"),
        [
            ("one event with 50 lines", "1", f"{event.gzip_bytes:,} bytes", f"{event.plain_bytes:,} bytes"),
            ("the largest event there is", "1", "", f"{largest:,} bytes"),
            (
                "every node goes empty once a day",
                f"{NODES / 86_400:.2f}/s",
                f"{packed:.0f} MB a day",
                f"{plain:.0f} MB a day",
            ),
            ("all in the same second", f"{NODES:,}", f"{packed:.0f} MB", f"{plain:.0f} MB"),
        ],
    )


def write(page: Path, text: str) -> None:
    """Puts `text` between the marks. Raises SizingError when they are not there."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SizingError(f"{page} lacks the marks {BEGIN} and {END}: put them where the figures are to stand")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _number(text: str) -> int:
    return int(text.replace(",", ""))
