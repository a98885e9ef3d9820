"""Ten thousand nodes whose logs are emptied in the same second do not come back in the same second."""

from __future__ import annotations

from herd_sim import NODES, come_in_20_seconds, herd, refused, wrong_token


def test_two_minutes_without_a_collector() -> None:
    seen = herd(NODES, away_seconds=120.0, fault=refused)
    assert seen.arrived == NODES
    assert seen.first == {0: NODES}
    assert max(seen.retries.values()) <= NODES // 10
    assert max(seen.arrivals.values()) <= NODES // 10
    assert seen.last_arrival <= 120.0 + 60


def test_a_collector_that_tells_all_the_same_time() -> None:
    seen = herd(NODES, away_seconds=40.0, fault=come_in_20_seconds)
    assert seen.arrived == NODES
    assert max((seen.retries + seen.arrivals).values()) <= NODES // 10


def test_a_collector_that_restarts() -> None:
    seen = herd(NODES, away_seconds=5.0, fault=refused)
    assert seen.arrived == NODES
    assert max((seen.retries + seen.arrivals).values()) <= NODES // 10
    assert seen.last_arrival <= 5.0 + 24


def test_a_token_that_nobody_may_use_any_more() -> None:
    seen = herd(NODES, away_seconds=300.0, fault=wrong_token)
    assert seen.arrived == NODES
    assert max((seen.retries + seen.arrivals).values()) <= NODES // 100
