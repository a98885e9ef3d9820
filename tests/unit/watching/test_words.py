"""Numbers for narrow columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.watching.users import Count
from kmsg_exporter.watching.words import number, rate


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (355, "355"),
        (999, "999"),
        (1000, "1.0K"),
        (9_949, "9.9K"),
        (9_951, "10K"),
        (999_499, "999K"),
        (999_500, "1.0M"),
        (35_000_000, "35M"),
        (0.34, "0.3"),
        (12.0, "12.0"),
        (99.96, "100"),
        (999.7, "1.0K"),
    ],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


@given(value=st.integers(0, 10**15) | st.floats(0, 1e15))
def test_no_number_takes_more_than_five_columns(value: float) -> None:
    assert len(number(value)) <= 5


@pytest.mark.parametrize(
    ("count", "text"), [(Count(3), "-"), (Count(3, 0.0), "0"), (Count(3, 0.003), "0.1"), (Count(3, 2.5), "2.5")]
)
def test_a_rate_that_is_not_0_does_not_look_like_it(count: Count, text: str) -> None:
    assert rate(count) == text
