"""How long to wait: within these bounds, whatever the dice say."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.push import spread

DICE = st.integers().map(random.Random)


@pytest.mark.parametrize(
    ("failures", "shortest", "longest"),
    [(1, 0, 12), (2, 12, 24), (3, 24, 48), (4, 30, 60), (5, 30, 60), (10**9, 30, 60)],
)
@given(rng=DICE)
def test_retries_grow_to_a_minute(failures: int, shortest: float, longest: float, rng: random.Random) -> None:
    assert shortest <= spread.retry_seconds(failures, rng) <= longest


@given(rng=DICE, asked=st.floats(0, 300), failures=st.integers(1, 99))
def test_nobody_comes_before_he_is_asked_to(rng: random.Random, asked: float, failures: int) -> None:
    assert asked <= spread.retry_seconds(failures, rng, asked=asked) <= asked + 60


@given(rng=DICE, failures=st.integers(1, 99))
def test_what_a_person_has_to_mend_is_tried_slowly(rng: random.Random, failures: int) -> None:
    assert 150 <= spread.retry_seconds(failures, rng, soon=False) <= 300


@given(rng=DICE, refusals=st.integers(0, 99))
def test_refused_events_are_tried_ever_more_slowly(rng: random.Random, refusals: int) -> None:
    assert 6 <= spread.refused_seconds(refusals, rng) <= 300
    assert 15 <= spread.probe_seconds(refusals, rng) <= 300
    assert 15 <= spread.probe_seconds(refusals, rng, soon=True) <= 60


@given(rng=DICE)
def test_the_first_hello_comes_within_a_minute_and_the_others_around_the_interval(rng: random.Random) -> None:
    assert 0 <= spread.hello_seconds(300, rng, first=True) <= 60
    assert 0 <= spread.hello_seconds(10, rng, first=True) <= 10
    assert 270 <= spread.hello_seconds(300, rng, first=False) <= 330
