"""Buffer sizes: all buffers of a node together stay within its budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.probes.budget import BufferSizes, buffer_sizes

PAGE_KB = 4
MIB = 1 << 20


def pages(kb: int) -> int:
    """What one CPU's buffer of this size really takes: whole pages of 4080 bytes of data, and the reader's page."""
    return -(-kb * 1024 // 4080) + 1


@given(budget=st.integers(0, 256 * MIB), cpus=st.integers(1, 1024))
def test_all_buffers_stay_within_the_budget_or_at_the_minimum(budget: int, cpus: int) -> None:
    sizes = buffer_sizes(budget, cpus)
    taken = cpus * sum(map(pages, (sizes.urgent_kb, sizes.bulk_kb, sizes.recorder_kb))) * PAGE_KB * 1024
    assert taken <= budget or sizes.urgent_kb == sizes.bulk_kb == 2 * PAGE_KB


@given(budget=st.integers(0, 256 * MIB), cpus=st.integers(1, 1024))
def test_sizes_are_whole_pages_and_at_least_two(budget: int, cpus: int) -> None:
    sizes = buffer_sizes(budget, cpus)
    for kb in (sizes.urgent_kb, sizes.bulk_kb, sizes.recorder_kb):
        assert kb % PAGE_KB == 0
        assert kb >= 2 * PAGE_KB
    assert sizes.recorder_kb >= sizes.urgent_kb == sizes.bulk_kb


@pytest.mark.parametrize(
    ("budget", "cpus", "sizes"),
    [
        (8 * MIB, 2, BufferSizes(256, 256, 1024)),
        (8 * MIB, 8, BufferSizes(248, 248, 504)),
        (8 * MIB, 96, BufferSizes(12, 12, 32)),
        (0, 4, BufferSizes(8, 8, 8)),
    ],
)
def test_budget_is_divided_by_cpus(budget: int, cpus: int, sizes: BufferSizes) -> None:
    assert buffer_sizes(budget, cpus) == sizes
