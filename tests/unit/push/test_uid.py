"""UUIDv7, held to the RFC's own example and to time running backwards."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.push.uid import UidSource


def test_the_time_of_the_rfc_s_example_gives_its_first_48_bits() -> None:
    uid = UidSource(lambda: 0x017F22E279B0 * 1_000_000).next()
    assert uid.startswith("017f22e2-79b0-7")


@given(st.lists(st.integers(min_value=0, max_value=2**60), min_size=2, max_size=50))
def test_uids_rise_however_the_clock_steps(times_ns: list[int]) -> None:
    ticks = iter(times_ns)
    source = UidSource(lambda: next(ticks))
    uids = [source.next() for _ in times_ns]
    assert uids == sorted(set(uids))
    assert {(uuid.UUID(uid).version, uuid.UUID(uid).variant) for uid in uids} == {(7, uuid.RFC_4122)}


def test_ten_thousand_uids_of_one_millisecond_are_distinct_and_rise() -> None:
    source = UidSource(lambda: 1_700_000_000_000_000_000)
    uids = [source.next() for _ in range(10_000)]
    assert uids == sorted(set(uids))
