"""Times as a person reads them, and the stretches of a chart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmsg_exporter.collector.moments import MAX_BARS, bar_edges, labels, moment

NOW_NS = 1_770_000_000_000_000_000
SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
BERLIN = ZoneInfo("Europe/Berlin")


def test_a_moment_is_local_utc_and_relative() -> None:
    zone = timezone(timedelta(hours=1), "CET")
    told = moment(NOW_NS, now_ns=NOW_NS + 250 * SECOND_NS, zone=zone)
    assert told.iso == "2026-02-02T02:40:00Z"
    assert told.local == "2026-02-02 03:40:00 CET"
    assert told.utc == "2026-02-02 02:40:00 UTC"
    assert told.ago == "4 minutes ago"


def test_utc_is_not_said_twice_where_local_time_is_utc() -> None:
    assert moment(NOW_NS, now_ns=NOW_NS, zone=timezone.utc).utc is None  # noqa: UP017 - its name is UTC


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "just now"),
        (2, "2 seconds ago"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (90000, "1 day ago"),
        (-30, "in 30 seconds"),
    ],
)
def test_relative_times(seconds: int, told: str) -> None:
    assert moment(NOW_NS, now_ns=NOW_NS + seconds * SECOND_NS).ago == told


@settings(deadline=None)
@given(st.integers(0, 2**63 - 1))
def test_no_number_of_nanoseconds_breaks_a_moment(unix_ns: int) -> None:
    moment(unix_ns, now_ns=NOW_NS)


def at(text: str, zone: timezone | ZoneInfo = UTC) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * SECOND_NS


def clock(edges: tuple[int, ...], zone: ZoneInfo) -> list[str]:
    return [f"{datetime.fromtimestamp(edge // SECOND_NS, zone):%d %H:%M}" for edge in edges]


@pytest.mark.parametrize(
    ("hours", "bars", "hours_a_bar"),
    [(1, 60, 1 / 60), (24, 48, 0.5), (168, 56, 3), (720, 60, 12), (24 * 365, 53, 168)],
)
def test_bars_fit_the_range(hours: int, bars: int, hours_a_bar: float) -> None:
    until = at("2026-11-23T00:00:00")
    edges = bar_edges(until - hours * HOUR_NS, until, zone=UTC)
    assert len(edges) - 1 == pytest.approx(bars, abs=1)
    assert {after - before for before, after in pairwise(edges)} == {int(hours_a_bar * HOUR_NS)}


def test_bars_of_a_day_begin_at_midnight_also_when_the_clock_is_set() -> None:
    edges = bar_edges(at("2026-10-20T05:00", BERLIN), at("2026-12-20T17:00", BERLIN), zone=BERLIN)
    assert {moment.split(" ")[1] for moment in clock(edges, BERLIN)} == {"00:00"}
    assert {after - before for before, after in pairwise(edges)} == {24 * HOUR_NS, 25 * HOUR_NS}


def test_bars_of_three_hours_keep_to_the_clock_when_it_is_set() -> None:
    edges = bar_edges(at("2026-10-22T00:00", BERLIN), at("2026-10-29T00:00", BERLIN), zone=BERLIN)
    assert [text.split(" ")[1] for text in clock(edges, BERLIN)][24:34] == [
        "00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "00:00", "03:00",
    ]  # fmt: skip


@settings(deadline=None)
@given(st.integers(0, 2**62), st.integers(1, 2**60), st.sampled_from([UTC, BERLIN, ZoneInfo("Australia/Lord_Howe")]))
def test_bars_cover_the_range_in_order_and_are_few(since: int, length: int, zone: ZoneInfo) -> None:
    edges = bar_edges(since, since + length, zone=zone)
    assert edges[0] <= since
    assert since + length <= edges[-1]
    assert list(edges) == sorted(set(edges))
    assert len(edges) <= MAX_BARS + 1 or length > 17 * 365 * 24 * HOUR_NS


def test_below_a_week_stand_its_days() -> None:
    edges = bar_edges(at("2026-11-16T18:00"), at("2026-11-23T18:00"), zone=UTC)
    assert [text for _, text in labels(edges, zone=UTC)] == [
        "17 Nov", "18 Nov", "19 Nov", "20 Nov", "21 Nov", "22 Nov", "23 Nov",
    ]  # fmt: skip


def test_below_a_day_stand_hours_and_the_day_at_midnight() -> None:
    edges = bar_edges(at("2026-11-22T20:00"), at("2026-11-23T20:00"), zone=UTC)
    assert [text for _, text in labels(edges, zone=UTC)] == [
        "21:00", "23 Nov", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00",
    ]  # fmt: skip
