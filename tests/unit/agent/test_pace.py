"""In a storm the loop takes a bounded share of a core, whatever is asked of it meanwhile; one call is no storm."""

from __future__ import annotations

import pytest

from kmsg_exporter.agent.pace import REST, STORM_ROUNDS, Pace


def share(round_seconds: float, *, asked_every: float, in_rests: bool = True) -> float:
    """What of a core rounds of this length take while there is always something to read and somebody asks."""
    pace, now, worked, next_asked = Pace(), 0.0, 0.0, asked_every
    while now < 100.0:
        resting = pace.is_resting(now)
        asked = now >= next_asked and (in_rests or not resting)
        if resting and not asked:
            now = min(pace.rest_until, next_asked) if in_rests else pace.rest_until
        elif pace.lets_begin(now, forced=asked):
            now, worked = now + round_seconds, worked + round_seconds
            pace.ended(now, round_seconds, resting=resting, asked=asked)
            next_asked = now + asked_every if asked else next_asked
    return worked / now


@pytest.mark.parametrize("round_seconds", [0.002, 0.01, 0.03])
@pytest.mark.parametrize("asked_every", [0.5, 1.0])
@pytest.mark.parametrize("in_rests", [True, False], ids=["in a rest", "as one ends"])
def test_a_storm_takes_a_ninth_of_a_core_whoever_asks(round_seconds: float, asked_every: float, in_rests: bool) -> None:
    taken = share(round_seconds, asked_every=asked_every, in_rests=in_rests)
    assert taken == pytest.approx(1 / (REST + 1), rel=0.08)


def test_what_is_asked_for_more_often_than_it_can_rest_is_done_all_the_same() -> None:
    assert share(0.1, asked_every=0.5) == pytest.approx(0.1 / 0.6, rel=0.03)


@pytest.mark.parametrize("rounds", [STORM_ROUNDS, STORM_ROUNDS + 1])
def test_a_few_rounds_one_after_the_other_are_no_storm(rounds: int) -> None:
    pace = Pace()
    begun = []
    for number in range(rounds):
        begun.append(pace.lets_begin(number * 0.001, forced=False))
        pace.ended(number * 0.001, 0.001, resting=False, asked=False)
    assert begun == [True] * STORM_ROUNDS + [False] * (rounds - STORM_ROUNDS)


def test_after_a_pause_nothing_is_owed() -> None:
    pace = Pace()
    for number in range(10):
        assert pace.lets_begin(number * 1.0, forced=False)
        pace.ended(number * 1.0, 0.5, resting=False, asked=False)
    assert not pace.is_resting(10.0)
