"""What is let go of, and when."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from kmsg_exporter.collector.event import Hello, Sender, StoredEvent
from kmsg_exporter.collector.question import Question
from kmsg_exporter.collector.reading import Arrivals, Reading
from kmsg_exporter.collector.retention import Gone, Keep, Retention
from kmsg_exporter.collector.schema import prepare
from kmsg_exporter.collector.store import Store

NOW_NS = 1_770_000_000_000_000_000
DAY_NS = 86_400 * 10**9
MIB = 1 << 20


def event(uid: str, *, size: int = 2, time_ns: int = NOW_NS) -> StoredEvent:
    return StoredEvent(uid, time_ns, "node-7", "dmesg", "", "", "x" * size)


class Clocks:
    """A wall clock that can be set and a running one that can't."""

    def __init__(self) -> None:
        self.wall_ns = NOW_NS
        self.running_ns = 5 * DAY_NS

    def pass_days(self, days: float) -> None:
        self.wall_ns += int(days * DAY_NS)
        self.running_ns += int(days * DAY_NS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.sqlite3"


@pytest.fixture
def stored(path: Path) -> Callable[..., list[str]]:
    def ask() -> list[str]:
        with closing(sqlite3.connect(path)) as connection:
            return [
                uid for (uid,) in connection.execute("SELECT uid FROM event JOIN document USING (seq) ORDER BY seq")
            ]

    return ask


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        prepare(opened, Path(":memory:"))
        yield opened


def add_day(connection: sqlite3.Connection, received_ns: int, count: int) -> None:
    connection.executemany(
        "INSERT INTO event SELECT (SELECT coalesce(max(seq), 0) + 1 FROM event), ?, 0, x'00', ?, 0, 0, "
        "'', '', '', '', '', '', 0, '', '', '', 1, 0, 0, 0, 0",
        [(f"{received_ns}-{number}", received_ns) for number in range(count)],
    )


def test_events_go_by_the_age_of_their_arrival_whatever_their_own_clock_said(
    path: Path, stored: Callable[[], list[str]]
) -> None:
    with Store(path, clock_ns=lambda: NOW_NS) as store:
        store.add([event("old")]).result(10)
    later = NOW_NS + 91 * DAY_NS
    with Store(path, clock_ns=lambda: later) as store:
        store.add([event("of a node whose clock is a year late", time_ns=later - 365 * DAY_NS)]).result(10)
        store.tidy().result(10)
        assert stored() == ["of a node whose clock is a year late"]
        assert (store.state.expired_age, store.state.expired_bytes) == (1, 0)


def test_it_goes_in_steps(connection: sqlite3.Connection) -> None:
    clocks = Clocks()
    retention = Retention(connection, Keep(), clock_ns=lambda: clocks.wall_ns, running_ns=lambda: clocks.running_ns)
    add_day(connection, NOW_NS, 450)
    clocks.pass_days(91)
    steps = [retention.step() for _ in range(4)]
    assert [(step.age, step.more) for step in steps] == [(200, True), (200, True), (50, False), (0, False)]


def test_a_clock_that_is_set_forward_costs_nothing_until_that_time_has_passed(connection: sqlite3.Connection) -> None:
    clocks = Clocks()
    retention = Retention(connection, Keep(), clock_ns=lambda: clocks.wall_ns, running_ns=lambda: clocks.running_ns)
    add_day(connection, NOW_NS, 1)
    clocks.wall_ns += 365 * DAY_NS
    assert retention.step().age == 0
    clocks.wall_ns -= 365 * DAY_NS
    clocks.pass_days(89)
    assert retention.step().age == 0
    clocks.pass_days(2)
    assert retention.step().age == 1


def test_what_came_while_the_clock_was_wrong_goes_with_what_came_before_it(connection: sqlite3.Connection) -> None:
    clocks = Clocks()
    retention = Retention(connection, Keep(), clock_ns=lambda: clocks.wall_ns, running_ns=lambda: clocks.running_ns)
    add_day(connection, NOW_NS, 1)
    add_day(connection, NOW_NS - 365 * DAY_NS, 1)  # set back by a year
    add_day(connection, NOW_NS + 365 * DAY_NS, 300)  # and forward
    add_day(connection, NOW_NS + 1, 1)
    assert retention.step().age == 0
    clocks.pass_days(91)
    assert [retention.step().age for _ in range(3)] == [200, 103, 0]


def test_when_it_is_full_the_oldest_go_and_their_room_is_used_again(
    path: Path, stored: Callable[[], list[str]]
) -> None:
    with Store(path, keep=Keep(max_bytes=2 * MIB), clock_ns=lambda: NOW_NS) as store:
        sizes = set()
        for batch in range(40):
            store.add([event(f"{batch:02}-{number:02}", size=4096) for number in range(25)]).result(10)
            store.tidy().result(10)
            sizes.add(path.stat().st_size)
        kept = stored()
        assert kept == sorted(kept)
        assert kept[-1] == "39-24"
        assert len(kept) + store.state.expired_bytes == 1000
        assert 200 < len(kept) < 2 * MIB / 4096
        assert max(sizes) < 3 * MIB


def test_of_large_events_no_more_go_than_the_room_that_is_wanted(path: Path, stored: Callable[[], list[str]]) -> None:
    with Store(path, keep=Keep(max_bytes=16 * MIB), clock_ns=lambda: NOW_NS) as store:
        for number in range(100):
            store.add([event(f"{number:02}", size=250_000)]).result(10)
    kept = stored()
    assert kept[-1] == "99"
    assert 15 * MIB < len(kept) * 250_000 < 16 * MIB


def test_what_agents_alone_take_costs_no_event_for_ever(path: Path, stored: Callable[[], list[str]]) -> None:
    """They go when they were silent for too long, also where they alone are more than the bound."""
    wide = Sender(instance="", boot_id="b" * 200, sequence=1, version="v" * 200, cluster="c" * 200, host_id="h" * 200)
    hellos = [Hello(replace(wide, instance=f"{number}{'i' * 200}"), "n" * 200) for number in range(4_000)]
    later = NOW_NS + 2 * DAY_NS
    with Store(path, clock_ns=lambda: NOW_NS) as store:
        store.add([event("old")], hellos).result(30)
    keep = Keep(max_bytes=MIB, forget_after_seconds=86_400, grace_seconds=0)
    with Store(path, keep=keep, clock_ns=lambda: later) as store:
        store.tidy().result(10)
        assert store.state.forgotten_age == 4_001
        store.add([event("new")]).result(10)
        store.tidy().result(10)
    assert stored() == ["new"]


def test_under_load_it_grows_no_further_than_by_what_one_commit_adds(
    path: Path, stored: Callable[[], list[str]]
) -> None:
    """Ten times the bound, as much in each commit as many steps let go of, and nobody asks for tidiness."""
    with Store(path, keep=Keep(max_bytes=4 * MIB), clock_ns=lambda: NOW_NS) as store:
        for batch in range(20):
            store.add([event(f"{batch:02}-{number:04}", size=900) for number in range(1_500)]).result(30)
    kept = stored()
    assert kept[-1] == "19-1499"
    assert len(kept) + store.state.expired_bytes == 30_000
    assert len(kept) * 900 < 4 * MIB
    assert path.stat().st_size < 8 * MIB


def test_a_bound_that_was_lowered_does_not_hold_up_what_is_to_be_stored(
    path: Path, stored: Callable[[], list[str]]
) -> None:
    with Store(path, clock_ns=lambda: NOW_NS) as store:
        store.add([event(f"{number:04}", size=900) for number in range(4_000)]).result(30)
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        retention = Retention(opened, Keep(max_bytes=MIB), clock_ns=lambda: NOW_NS)
        assert retention.keep_up() == Gone(more=True)
        assert retention.step() == Gone(bytes=200, more=True)
    assert len(stored()) == 3_800


def test_what_has_expired_is_no_duplicate_any_more(path: Path, stored: Callable[[], list[str]]) -> None:
    with Store(path, clock_ns=lambda: NOW_NS) as store:
        store.add([event("a")]).result(10)
    with Store(path, clock_ns=lambda: NOW_NS + 91 * DAY_NS) as store:
        store.tidy().result(10)
        assert store.add([event("a")]).result(10).stored == 1
        assert stored() == ["a"]


def test_who_follows_the_arrivals_misses_nothing_that_comes_after_all_have_expired(path: Path) -> None:
    """The first one stored then has a number of its own, also after a restart."""
    with Store(path, clock_ns=lambda: NOW_NS) as store:
        store.add([event("a"), event("b")]).result(10)
        followed = Reading(path).arrived()
    later = NOW_NS + 91 * DAY_NS
    with Store(path, clock_ns=lambda: later) as store:
        store.tidy().result(10)
        assert Reading(path).arrivals(Question(), limit=10, after=followed) == Arrivals((), followed)
    with Store(path, clock_ns=lambda: later) as store:
        store.add([event("c"), event("d")]).result(10)
        arrivals = Reading(path).arrivals(Question(), limit=10, after=followed)
        assert [received.event.uid for received in arrivals.events] == ["c", "d"]
        assert Reading(path).arrivals(Question(), limit=10, after=arrivals.arrived).events == ()
