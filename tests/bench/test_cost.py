"""What two runs without tracing differ by is what the tables call noise."""

from __future__ import annotations

import pytest
from kmsg_bench.cost import Cost, noise
from kmsg_bench.figures import Spread
from kmsg_bench.tracers import AGAIN, NONE


def cost(*unrelated_ns: float) -> Cost:
    one = Spread.of([1.0])
    return Cost((700.0,), one, one, None, None, unrelated_ns, Spread.of(unrelated_ns), one, one, 0)


@pytest.mark.parametrize(
    ("first", "again", "expected"),
    [
        ((100.0, 100.0, 100.0), (100.0, 100.0, 147.0), 1.0),  # one round that somebody disturbed allows no tax
        ((100.0, 100.0, 100.0), (103.0, 103.0, 147.0), 1.03),
        ((103.0, 103.0, 103.0), (100.0, 100.0, 100.0), 1.03),
    ],
)
def test_noise_is_the_ratio_of_two_medians(first: tuple[float, ...], again: tuple[float, ...], expected: float) -> None:
    assert noise({NONE: cost(*first), AGAIN: cost(*again)}) == pytest.approx(expected)
