"""The same with a collector that is away for an hour; takes a minute or two: `pytest -s tests/faults/hour.py`."""

from __future__ import annotations

import pytest
from herd_sim import NODES, herd, refused, told, wrong_token

HOUR = 3600.0


def test_an_hour_without_a_collector(capsys: pytest.CaptureFixture[str]) -> None:
    seen = herd(NODES, away_seconds=HOUR, fault=refused)
    with capsys.disabled():
        told("away for an hour", seen, HOUR)
    assert seen.arrived == NODES
    assert seen.first == {0: NODES}
    assert max(seen.retries.values()) <= NODES // 10
    assert max(seen.arrivals.values()) <= NODES // 10
    assert seen.last_arrival <= HOUR + 60


def test_an_hour_of_wrong_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    seen = herd(NODES, away_seconds=HOUR, fault=wrong_token)
    with capsys.disabled():
        told("401 for an hour", seen, HOUR)
    assert seen.arrived == NODES
    assert max((seen.retries + seen.arrivals).values()) <= NODES // 100


def test_backlogs_of_four_requests(capsys: pytest.CaptureFixture[str]) -> None:
    seen = herd(NODES, away_seconds=600.0, fault=refused, events=200)
    with capsys.disabled():
        told("4 requests wait in each", seen, 600.0)
    assert seen.arrived == 200 * NODES
    assert max(seen.arrivals.values()) <= 4 * NODES // 10
