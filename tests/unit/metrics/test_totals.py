"""Totals count by who it was, under a bound on names, and hand out copies."""

from __future__ import annotations

import threading
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.metrics.totals import NameBound, Totals, label_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def test_a_clear_counts_by_action_and_by_origin() -> None:
    totals = Totals()
    totals.clear("dmesg", "/usr/bin/dmesg", "clear", origin="cleanup.sh", expected=False)
    totals.clear("dmesg", "/usr/bin/dmesg", "clear", origin="cleanup.sh", expected=True)
    snapshot = totals.snapshot()
    assert snapshot.clears.values == {("dmesg", "/usr/bin/dmesg", "clear"): 2}
    assert snapshot.clears_by_origin.values == {
        ("dmesg", "/usr/bin/dmesg", "cleanup.sh", "false"): 1,
        ("dmesg", "/usr/bin/dmesg", "cleanup.sh", "true"): 1,
    }


def test_reads_count_calls_and_bytes() -> None:
    totals = Totals()
    totals.read("dmesg", "", "dev_kmsg", "read", calls=3, nbytes=270)
    totals.read("dmesg", "", "dev_kmsg", "read", nbytes=30)
    snapshot = totals.snapshot()
    assert snapshot.reads.values == {("dmesg", "", "dev_kmsg", "read"): 4}
    assert snapshot.read_bytes.values == {("dmesg", "", "dev_kmsg", "read"): 300}


def test_denied_clears_opens_writes_and_console_changes_have_counters_of_their_own() -> None:
    totals = Totals()
    totals.denied("sh", "/bin/sh", "clear")
    totals.open("sh", "/bin/sh", "proc_kmsg")
    totals.write("sh", "/bin/sh", calls=5)
    totals.console_change("sh", "/bin/sh", "console_off")
    snapshot = totals.snapshot()
    assert snapshot.denied.values == {("sh", "/bin/sh", "clear"): 1}
    assert snapshot.opens.values == {("sh", "/bin/sh", "proc_kmsg"): 1}
    assert snapshot.writes.values == {("sh", "/bin/sh"): 5}
    assert snapshot.console_changes.values == {("sh", "/bin/sh", "console_off"): 1}
    assert snapshot.clears.values == {}


def test_the_last_emptying_is_unknown_until_there_was_one() -> None:
    totals = Totals()
    assert totals.snapshot().last_emptied_timestamp_seconds is None
    totals.emptied(1700000000.5)
    totals.unattributed_clear()
    snapshot = totals.snapshot()
    assert snapshot.emptied == 1
    assert snapshot.last_emptied_timestamp_seconds == 1700000000.5
    assert snapshot.unattributed_clears == 1


def test_a_snapshot_does_not_change() -> None:
    totals = Totals()
    totals.write("logger", "/usr/bin/logger")
    snapshot = totals.snapshot()
    totals.write("logger", "/usr/bin/logger")
    assert snapshot.writes.values == {("logger", "/usr/bin/logger"): 1}
    with pytest.raises(FrozenInstanceError):
        snapshot.emptied = 1  # type: ignore[misc]


def test_series_are_born_in_the_order_they_were_first_counted() -> None:
    totals = Totals()
    totals.denied("a", "", "clear")
    totals.write("b", "")
    totals.denied("a", "", "clear")
    assert totals.next_birth() == 3
    snapshot = totals.snapshot()
    assert snapshot.denied.births == {("a", "", "clear"): 1}
    assert snapshot.writes.births == {("b", ""): 2}
    assert snapshot.births == 3


def test_names_beyond_the_bound_become_other_and_are_counted() -> None:
    totals = Totals(max_pairs=3)
    for comm in ("a", "b", "c", "d", "a"):
        totals.denied(comm, "/bin/x", "clear")
    snapshot = totals.snapshot()
    assert snapshot.denied.values == {
        ("a", "/bin/x", "clear"): 2,
        ("b", "/bin/x", "clear"): 1,
        ("other", "other", "clear"): 2,
    }
    assert snapshot.series_overflowed == 2


def test_a_read_beyond_the_bound_overflows_once_for_each_call() -> None:
    totals = Totals(max_pairs=1)
    totals.read("a", "", "syslog", "read", calls=4, nbytes=10)
    snapshot = totals.snapshot()
    assert snapshot.read_bytes.values == {("other", "other", "syslog", "read"): 10}
    assert snapshot.series_overflowed == 4


def test_a_process_that_calls_itself_other_is_no_overflow() -> None:
    totals = Totals(max_pairs=2)
    totals.write("other", "other")
    totals.write("other", "/usr/bin/other")
    assert totals.snapshot().writes.values == {("other", "other"): 1, ("other", "/usr/bin/other"): 1}
    assert totals.snapshot().series_overflowed == 0


def test_each_family_has_a_bound_of_its_own() -> None:
    totals = Totals(max_pairs=2)
    totals.write("a", "")
    totals.open("b", "", "dev_kmsg")
    assert totals.snapshot().series_overflowed == 0


def test_ten_thousand_names_and_origins_cost_no_more_than_the_bound() -> None:
    totals = Totals()
    for n in range(10_000):
        totals.clear(f"c{n}", "", "clear", origin="cron", expected=False)
        totals.clear("dmesg", "", "clear", origin=f"o{n}", expected=False)
    snapshot = totals.snapshot()
    assert len(snapshot.clears.values) == 512
    assert len(snapshot.clears_by_origin.values) == 512
    assert sum(snapshot.clears.values.values()) == 20_000
    assert sum(snapshot.clears_by_origin.values.values()) == 20_000


def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    assert label_text("a\udcffb\ud800") == "a\ufffdb\ufffd"


def test_names_that_read_alike_once_encoded_are_one_series() -> None:
    totals = Totals()
    totals.write("\udc80", "")
    totals.write("\ufffd", "")
    assert totals.snapshot().writes.values == {("\ufffd", ""): 2}


def test_threads_lose_no_count() -> None:
    totals = Totals()

    def count() -> None:
        for n in range(2000):
            totals.write(f"c{n % 7}", "")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(totals.snapshot().writes.values.values()) == 8000


@given(st.integers(1, 5), st.lists(st.tuples(st.text(max_size=2), st.text(max_size=2))))
def test_never_more_names_than_the_bound_and_a_name_once_shown_stays(
    max_names: int, names: Sequence[tuple[str, str]]
) -> None:
    bound = NameBound(max_names)
    first = [bound.admit(name) for name in names]
    assert len(set(first)) <= max_names
    assert [bound.admit(name) for name in names] == first


COUNTS: Sequence[Callable[[Totals, str], None]] = (
    lambda totals, comm: totals.clear(comm, comm, "clear", origin=comm, expected=False),
    lambda totals, comm: totals.read(comm, comm, "syslog", "read_all", nbytes=7),
    lambda totals, comm: totals.console_change(comm, comm, "console_on"),
)


@given(st.lists(st.tuples(st.sampled_from(COUNTS), st.text(max_size=1))))
def test_no_total_ever_goes_down(counts: Sequence[tuple[Callable[[Totals, str], None], str]]) -> None:
    totals = Totals(max_pairs=2)
    before = totals.snapshot()
    for count, comm in counts:
        count(totals, comm)
        after = totals.snapshot()
        for name in ("clears", "clears_by_origin", "reads", "read_bytes", "console_changes"):
            now = getattr(after, name).values
            assert all(now[labels] >= value for labels, value in getattr(before, name).values.items())
        assert after.births >= before.births
        assert after.series_overflowed >= before.series_overflowed
        before = after
