"""The chart's places, sizes and words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from kmsg_exporter.collector.chart import HEIGHT, Chart, Piece, chart
from kmsg_exporter.collector.counting import Bar

HOUR_NS = 3600 * 10**9
START_NS = int(datetime(2026, 11, 23, 3, tzinfo=UTC).timestamp()) * 10**9


def drawn(*bars: Bar, zone: timezone = UTC) -> Chart:
    edges = [START_NS + number * HOUR_NS for number in range(len(bars) + 1)]
    return chart(edges, bars, lambda a, b: f"/{(a - START_NS) // HOUR_NS}-{(b - START_NS) // HOUR_NS}", zone=zone)


def test_bars_stand_side_by_side_over_the_whole_width() -> None:
    found = drawn(Bar(1), Bar(), Bar(0, 2), Bar())
    assert [(column.x, column.width) for column in found.columns] == [(0, 25), (25, 25), (50, 25), (75, 25)]
    assert [column.href for column in found.columns] == ["/0-1", "/1-2", "/2-3", "/3-4"]


def test_a_bar_is_stacked_from_the_ground_with_what_is_severe_below() -> None:
    (column,) = drawn(Bar(severe=1, other=2, expected=1)).columns
    assert column.pieces == (
        Piece("severe", HEIGHT * 3 / 4, HEIGHT / 4),
        Piece("other", HEIGHT / 4, HEIGHT / 2),
        Piece("expected", 0, HEIGHT / 4),
    )


def test_one_emptying_is_seen_beside_thousands() -> None:
    assert drawn(Bar(1), Bar(0, 100_000)).columns[0].pieces == (Piece("severe", HEIGHT - 2, 2),)


@pytest.mark.parametrize(
    ("most", "ticks"),
    [(1, ["2", "1"]), (3, ["4", "2"]), (7, ["8", "4"]), (11, ["20", "10"]), (2100, ["3,000", "1,500"])],
)
def test_the_scale_has_whole_numbers(most: int, ticks: list[str]) -> None:
    assert [text for _, text in drawn(Bar(other=most)).ticks] == ticks


def test_a_bar_says_its_time_and_what_it_counts() -> None:
    found = drawn(Bar(severe=1, other=1200, expected=3), zone=timezone(timedelta(hours=1), "CET"))
    assert found.columns[0].title == (
        "Mon 23 Nov 04:00 to 05:00 CET (Mon 23 Nov 03:00 to 04:00 UTC): 1,204 emptyings, "
        "1 hid errors or worse, 3 expected"
    )
    assert (found.zone, found.length) == ("CET", "1 hour")


def test_utc_is_not_said_twice() -> None:
    assert drawn(Bar(1)).columns[0].title == "Mon 23 Nov 03:00 to 04:00 UTC: 1 emptying, 1 hid errors or worse"
