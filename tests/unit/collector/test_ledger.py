"""Agents that are heard of, and the events that they have numbered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.collector.event import Hello, Sender, StoredEvent
from kmsg_exporter.collector.ledger import MISSING, SILENT, VERSIONS, Heard, Ledger
from kmsg_exporter.collector.retention import Keep
from kmsg_exporter.collector.schema import prepare
from kmsg_exporter.collector.store import Store

NOW_NS = 1_770_000_000_000_000_000
SECOND_NS = 1_000_000_000


def event(sequence: int | None, *, boot: str = "a", instance: str = "one", **sender: str) -> StoredEvent:
    said = Sender(instance=instance, boot_id=boot, sequence=sequence, **{"version": "0.9.0", **sender})
    return StoredEvent(f"{instance}-{boot}-{sequence}", NOW_NS, "node-7", "dmesg", "", "", "{}", said)


def hello(sequence: int | None, *, boot: str = "a", instance: str = "one", **sender: str) -> Hello:
    return Hello(Sender(instance=instance, boot_id=boot, sequence=sequence, **{"version": "0.9.0", **sender}), "node-7")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store(path, keep=Keep(max_agents=3), clock_ns=lambda: NOW_NS) as opened:
        yield opened


def put(store: Store, *heard: StoredEvent | Hello) -> None:
    """One after the other, as they arrive."""
    for one in heard:
        if isinstance(one, Hello):
            store.add([], [one]).result(10)
        else:
            store.add([one]).result(10)


def query(store: Store, what: str, *values: Any) -> list[Any]:
    with closing(sqlite3.connect(store.path)) as connection:
        return connection.execute(what, values).fetchall()


def missing(store: Store) -> int:
    return int(query(store, MISSING)[0][0])


def test_an_agent_has_a_row_from_its_first_event_on(store: Store) -> None:
    put(store, event(1, cluster="blue", host_id="3f1c"))
    assert query(store, "SELECT * FROM agent") == [
        ("one", "blue", "node-7", "3f1c", "0.9.0", NOW_NS, NOW_NS, None),
    ]
    assert query(store, "SELECT * FROM stream") == [("one", "a", 1, 1, 1)]


def test_a_hello_says_that_it_lives_and_which_version_it_is(store: Store) -> None:
    put(store, hello(0), hello(0, version="0.9.1"))
    assert query(store, VERSIONS) == [("0.9.1", 1)]
    assert query(store, "SELECT * FROM stream") == [("one", "a", 1, 0, 0)]
    assert missing(store) == 0


def test_who_never_said_hello_is_not_silent(store: Store) -> None:
    put(store, event(1), hello(1, instance="two"))
    assert query(store, SILENT, NOW_NS + 1) == [(1,)]
    assert query(store, SILENT, NOW_NS) == [(0,)]


def test_a_number_that_never_came_is_missing_until_it_comes(store: Store) -> None:
    put(store, event(1), event(4))
    assert missing(store) == 2
    put(store, event(3), event(2))
    assert missing(store) == 0


def test_a_lost_tail_shows_by_the_next_hello(store: Store) -> None:
    put(store, event(1), hello(3))
    assert missing(store) == 2


def test_what_was_numbered_before_the_collector_knew_the_agent_is_not_missing(store: Store) -> None:
    put(store, hello(500), event(501), event(502))
    assert missing(store) == 0
    put(store, event(500))  # it was under way
    assert missing(store) == 0


def test_an_agent_counts_on_from_boot_to_boot(store: Store) -> None:
    put(store, event(1), event(2), event(5, boot="b"))
    assert missing(store) == 2
    put(store, event(3))  # the spool had kept it
    assert missing(store) == 1


def test_a_state_directory_that_was_put_back_hides_no_gap(store: Store) -> None:
    put(store, *(event(number) for number in (1, 2, 4, 5, 6)), *(event(number, boot="b") for number in (3, 4)))
    assert missing(store) == 1
    put(store, hello(2))
    assert query(store, "SELECT first_sequence, last_sequence FROM stream WHERE boot_id = 'a'") == [(1, 6)]


def test_an_event_that_comes_twice_or_with_other_content_counts_once(store: Store) -> None:
    put(store, event(1), event(1), event(3))
    other = event(3)
    store.add([StoredEvent(other.uid, NOW_NS, "node-7", "", "", "", '{"other": 1}', other.sender)]).result(10)
    assert query(store, "SELECT stored FROM stream") == [(2,)]
    assert missing(store) == 1


def test_an_event_that_had_expired_and_is_sent_again_makes_no_gap_good(store: Store) -> None:
    put(store, event(1), event(2))
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("DELETE FROM event")
        connection.execute("DELETE FROM document")
    assert missing(store) == 0
    put(store, event(1), event(2))
    assert query(store, "SELECT stored FROM stream") == [(2,)]


def test_an_agent_without_an_instance_goes_by_its_host_else_its_node(store: Store) -> None:
    put(store, event(1, instance="", host_id="3f1c", cluster="blue"), hello(1, instance=""))
    assert query(store, "SELECT instance FROM agent ORDER BY 1") == [("host:3f1c@blue",), ("node:node-7@",)]


def test_an_event_of_nobody_is_stored_and_makes_no_agent(store: Store) -> None:
    store.add([StoredEvent("a", NOW_NS, "", "", "", "", "{}")]).result(10)
    assert query(store, "SELECT count(*) FROM agent") == [(0,)]


def test_the_longest_silent_are_forgotten_beyond_the_bound(path: Path) -> None:
    now = NOW_NS
    with Store(path, keep=Keep(max_agents=3), clock_ns=lambda: now) as store:
        for instance in ("one", "two", "three", "one", "four", "five"):
            now += SECOND_NS
            put(store, event(1, instance=instance))
        assert query(store, "SELECT instance FROM agent ORDER BY 1") == [("five",), ("four",), ("one",)]
        assert query(store, "SELECT instance FROM stream ORDER BY 1") == [("five",), ("four",), ("one",)]
        assert store.state.forgotten_bound == 2


def test_agents_silent_for_very_long_are_forgotten(path: Path) -> None:
    with Store(path, clock_ns=lambda: NOW_NS) as store:
        put(store, event(1), hello(1, instance="two"))
    later = NOW_NS + 8 * 86400 * SECOND_NS
    with Store(path, clock_ns=lambda: later) as store:  # which was away itself
        store.tidy().result(10)
        assert query(store, "SELECT count(*) FROM agent") == [(2,)]
        put(store, hello(1, instance="two"))
    with Store(path, keep=Keep(grace_seconds=0), clock_ns=lambda: later) as store:
        store.tidy().result(10)
        assert query(store, "SELECT instance FROM agent") == [("two",)]
        assert store.state.forgotten_age == 1
        assert query(store, "SELECT instance FROM stream") == [("two",)]


def test_who_was_seen_while_the_clock_was_ahead_does_not_live_for_ever(path: Path) -> None:
    with Store(path, clock_ns=lambda: NOW_NS + 365 * 86400 * SECOND_NS) as store:
        put(store, hello(1))
    with Store(path, clock_ns=lambda: NOW_NS) as store:
        assert query(store, "SELECT last_seen_unix_ns FROM agent") == [(NOW_NS,)]


def test_an_agent_of_endless_boots_keeps_the_last_64(store: Store) -> None:
    put(store, *(event(number, boot=f"boot-{number}") for number in range(1, 71)))
    assert query(store, "SELECT count(*), min(first_sequence) FROM stream") == [(64, 7)]
    assert missing(store) == 0


def test_boots_without_end_of_agents_without_end_are_bounded_together(path: Path) -> None:
    with Store(path, keep=Keep(max_agents=20), clock_ns=lambda: NOW_NS) as store:
        for instance in ("one", "two", "three"):
            put(store, *(event(number, instance=instance, boot=f"boot-{number}") for number in range(1, 41)))
        assert query(store, "SELECT instance, count(*) FROM stream GROUP BY 1 ORDER BY 1") == [
            ("three", 40),
            ("two", 40),
        ]
        put(store, event(41, instance="one", boot="boot-41"))
        assert query(store, "SELECT count(*), max(last_sequence) FROM stream") == [(80, 41)]


def test_names_without_end_are_cut(store: Store) -> None:
    put(store, event(1, instance="i" * 10_000, boot="b" * 10_000, version="v" * 10_000))
    assert query(store, "SELECT length(instance), length(version) FROM agent") == [(256, 256)]
    assert query(store, "SELECT length(boot_id) FROM stream") == [(256,)]


def test_a_transaction_that_fails_leaves_the_ledger_as_it_was(store: Store) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("CREATE TRIGGER no BEFORE INSERT ON stream BEGIN SELECT RAISE(ABORT, 'no'); END")
        assert store.add([event(1)]).exception(10) is not None
        connection.execute("DROP TRIGGER no")
    assert query(store, "SELECT count(*) FROM agent") == [(0,)]
    put(store, *(event(1, instance=name) for name in ("one", "two", "three")))
    assert query(store, "SELECT count(*) FROM agent") == [(3,)]


@given(st.data())
def test_missing_is_what_was_given_and_never_came_whatever_the_order(data: st.DataObject) -> None:
    """One agent of a few boots whose events are lost at will."""
    boots = data.draw(st.lists(st.integers(0, 6), min_size=1, max_size=4))
    numbers = iter(range(1, sum(boots) + 1))
    numbered = [event(next(numbers), boot=str(boot)) for boot, count in enumerate(boots) for _ in range(count)]
    arriving = data.draw(st.permutations([one for one in numbered if data.draw(st.booleans())]))
    together = data.draw(st.integers(1, 4))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        prepare(connection, Path(":memory:"))
        ledger = Ledger(connection, max_agents=10, now_ns=NOW_NS)
        first, last = Heard(), Heard()
        first.hello(hello(0, boot="0"))
        last.hello(hello(sum(boots), boot=str(len(boots) - 1)))
        ledger.write(first, NOW_NS)
        for start in range(0, len(arriving), together):
            heard = Heard()
            for one in arriving[start : start + together]:
                heard.event(one, new=True)
            ledger.write(heard, NOW_NS)
        ledger.write(last, NOW_NS)
        assert connection.execute(MISSING).fetchone() == (len(numbered) - len(arriving),)
