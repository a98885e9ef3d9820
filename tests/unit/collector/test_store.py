"""The store on real SQLite files."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kmsg_exporter.collector import store as store_module
from kmsg_exporter.collector.event import StoredEvent
from kmsg_exporter.collector.question import Question
from kmsg_exporter.collector.reading import Reading
from kmsg_exporter.collector.store import Outcome, Store
from kmsg_exporter.errors import CollectorError, DecodeError, StoreTooNew

NOW_NS = 1_770_000_000_000_000_000
SECOND_NS = 1_000_000_000


def event(uid: str, *, ago_seconds: int = 0, node: str = "node-7", comm: str = "dmesg") -> StoredEvent:
    return StoredEvent(uid, NOW_NS - ago_seconds * SECOND_NS, node, comm, "/usr/bin/dmesg", "cleanup.sh", "{}")


class Given(list[StoredEvent]):
    """One that tells when it is gone."""


def uids(store: Store, **query: Any) -> list[str]:
    return [received.event.uid for received in Reading(store.path).page(Question(**query), limit=100).events]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a directory # with ? marks" / "events.sqlite3"


@pytest.fixture
def open_store(path: Path) -> Callable[[], Store]:
    return lambda: Store(path, clock_ns=lambda: NOW_NS)


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Iterator[Store]:
    with open_store() as opened:
        yield opened


def test_an_event_is_there_once_its_future_is_done(store: Store) -> None:
    assert store.add([event("a")]).result(10) == Outcome(stored=1)
    received = Reading(store.path).get("a")
    assert received is not None
    assert received.event == event("a")
    assert received.received_unix_ns == NOW_NS


def test_what_was_acknowledged_is_in_the_file_for_another_connection(store: Store, path: Path) -> None:
    store.add([event("a")]).result(10)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT uid FROM event").fetchall() == [("a",)]


def test_the_file_is_a_wal_and_commits_are_synced(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_an_event_is_stored_once_and_the_first_wins(store: Store) -> None:
    assert store.add([event("a"), event("a"), event("b")]).result(10) == Outcome(stored=2, duplicates=1)
    assert store.add([replace(event("a"), node="other")]).result(10) == Outcome(duplicates=1)
    assert sorted(uids(store)) == ["a", "b"]
    assert uids(store, node="other") == []


def test_events_survive_a_restart(open_store: Callable[[], Store]) -> None:
    with open_store() as first:
        first.add([event("a")]).result(10)
    with open_store() as second:
        assert uids(second) == ["a"]


def test_closing_commits_what_was_queued(open_store: Callable[[], Store]) -> None:
    with open_store() as first:
        pending = [first.add([event(str(number))]) for number in range(200)]
    assert [future.result(0) for future in pending] == [Outcome(stored=1)] * 200
    with open_store() as second:
        assert len(uids(second)) == 100


def test_many_writers_at_once_all_get_their_events_stored(store: Store) -> None:
    def write(writer: int) -> None:
        for number in range(20):
            store.add([event(f"{writer}-{number}")]).result(10)

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    page = Reading(store.path).page(limit=500)
    assert len({received.event.uid for received in page.events}) == 160


def test_the_newest_event_comes_first_whatever_the_order_of_arrival(store: Store) -> None:
    for uid, ago in (("middle", 20), ("newest", 10), ("oldest", 30)):
        store.add([event(uid, ago_seconds=ago)]).result(10)
    assert uids(store) == ["newest", "middle", "oldest"]


def test_a_clock_that_can_not_be_right_is_replaced_by_the_arrival_for_the_order(store: Store) -> None:
    store.add([event("past", ago_seconds=50 * 365 * 86400)]).result(10)
    store.add([event("future", ago_seconds=-86400)]).result(10)
    store.add([replace(event("none"), time_unix_ns=None)]).result(10)
    store.add([event("right", ago_seconds=60)]).result(10)
    assert uids(store) == ["none", "future", "past", "right"]


def test_pages_by_cursor_show_every_event_once_though_new_ones_arrive(store: Store) -> None:
    store.add([event(f"{number}", ago_seconds=number // 2) for number in range(10)]).result(10)
    first = Reading(store.path).page(limit=4)
    store.add([event("new")]).result(10)
    assert first.next_cursor is not None
    second = Reading(store.path).page(limit=4, before=first.next_cursor)
    third = Reading(store.path).page(limit=4, before=second.next_cursor)
    assert third.next_cursor is None
    seen = [received.event.uid for page in (first, second, third) for received in page.events]
    assert seen == ["1", "0", "3", "2", "5", "4", "7", "6", "9", "8"]


def test_a_last_page_that_is_full_has_no_next(store: Store) -> None:
    store.add([event("a"), event("b")]).result(10)
    assert Reading(store.path).page(limit=2).next_cursor is None


def test_filters_hold_together(store: Store) -> None:
    store.add([event("a"), event("b", node="node-8"), event("c", comm="klogd"), event("d", node="")]).result(10)
    assert uids(store, node="node-7") == ["c", "a"]
    assert uids(store, comm="dmesg") == ["d", "b", "a"]
    assert uids(store, node="node-7", comm="dmesg") == ["a"]
    assert uids(store, node="") == ["d"]


@pytest.mark.parametrize("cursor", ["", "1", "1-", "-1-1", "x-y", f"{2**63}-1", f"1-{2**63}", "1-1;", "٣-٣"])
def test_a_cursor_that_was_never_given_is_an_error(store: Store, cursor: str) -> None:
    with pytest.raises(DecodeError, match="is not a cursor that this collector gave"):
        Reading(store.path).page(limit=1, before=cursor)


def test_an_unknown_uid_is_none(store: Store) -> None:
    assert Reading(store.path).get("unknown") is None


def test_text_with_a_nul_comes_back_as_it_was(store: Store) -> None:
    store.add([event("a", comm="a\0b")]).result(10)
    assert uids(store, comm="a\0b") == ["a"]


def test_a_newer_file_is_refused_and_left_as_it_is(path: Path, open_store: Callable[[], Store]) -> None:
    with open_store():
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 7")
    before = path.read_bytes()
    with pytest.raises(StoreTooNew) as raised:
        open_store()
    assert str(raised.value) == (
        f"the collector's store {path} has schema version 7, this program knows 3: "
        "run the newer program, or give this one another data directory"
    )
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_a_clear_error(path: Path, open_store: Callable[[], Store]) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not SQLite at all" * 100)
    with pytest.raises(CollectorError) as raised:
        open_store()
    assert str(raised.value) == (
        f"can't open the collector's store {path}: file is not a database: it is damaged: "
        "stop the collector, move the file and those beside it that begin with its name away, put a backup in its "
        "place if there is one, and start again"
    )


def test_a_data_directory_that_is_a_file_is_a_clear_error(path: Path, open_store: Callable[[], Store]) -> None:
    path.parent.write_text("")
    with pytest.raises(CollectorError, match=r"can't open the collector's store .* File exists"):
        open_store()


def test_a_write_that_fails_is_told_to_who_waits_and_the_next_one_works(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON event BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        failed = store.add([event("a")])
        with pytest.raises(CollectorError, match=r"can't write to the collector's store .*: disk is full"):
            failed.result(10)
        connection.execute("DROP TRIGGER full")
    assert store.add([event("a")]).result(10) == Outcome(stored=1)


def test_others_may_not_read_the_directory(path: Path, store: Store) -> None:
    assert store.path == path
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_same_uid_with_other_content_is_kept_beside_the_first(store: Store, path: Path) -> None:
    other = replace(event("a"), document='{"other": 1}')
    assert store.add([event("a"), other, other]).result(10) == Outcome(stored=1, conflicting=1, duplicates=1)
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT variant, text FROM event JOIN document USING (seq) ORDER BY variant")
        assert found.fetchall() == [(0, "{}"), (1, '{"other": 1}')]


def test_of_one_uid_eight_are_kept_and_the_rest_is_counted(store: Store) -> None:
    variants = [replace(event("a"), document=str(number)) for number in range(10)]
    assert store.add(variants).result(10) == Outcome(stored=1, conflicting=7, surplus=2)
    assert store.add(variants).result(10) == Outcome(duplicates=8, surplus=2)
    assert store.state.outcome == Outcome(stored=1, duplicates=8, conflicting=7, surplus=4)


def test_a_full_disk_is_told_nothing_of_it_is_stored_and_it_goes_on_with_room(store: Store) -> None:
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    batch = [replace(event(str(number)), document="x" * 4096) for number in range(20)]
    with pytest.raises(CollectorError) as raised:
        store.add(batch).result(10)
    assert str(raised.value) == (
        f"can't write to the collector's store {store.path}: database or disk is full: "
        "make room on that disk, or keep less with --collector.max-bytes"
    )
    assert uids(store) == []
    assert store.state.failures == 1
    store._connection.execute("PRAGMA max_page_count = 1000000")
    assert store.add(batch).result(10) == Outcome(stored=20)


def test_one_event_that_can_not_be_stored_keeps_no_other_request_out(open_store: Callable[[], Store]) -> None:
    held = threading.Event()

    def hold() -> None:
        held.wait(10)

    with open_store() as store:
        store._ask(hold)
        pending = [store.add([one]) for one in (event("a"), replace(event("b"), document="\ud800"), event("c"))]
        held.set()
        assert pending[0].result(10) == pending[2].result(10) == Outcome(stored=1)
        assert isinstance(pending[1].exception(10), UnicodeEncodeError)
        assert sorted(uids(store)) == ["a", "c"]


def test_a_check_writes_and_says_when_there_is_no_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.check().result(10)
    real = os.statvfs(store.path)

    def full(_path: object) -> SimpleNamespace:
        return SimpleNamespace(f_bavail=2, f_frsize=real.f_frsize)

    monkeypatch.setattr(os, "statvfs", full)
    with pytest.raises(CollectorError, match=rf"^the disk of the collector's store .* has {2 * real.f_frsize} bytes"):
        store.check().result(10)


def test_a_writer_that_is_gone_or_at_one_thing_for_too_long_hangs(
    open_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, at_it = threading.Event(), threading.Event()

    def stuck() -> None:
        at_it.set()
        held.wait(10)

    with open_store() as store:
        assert not store.hung
        store._ask(stuck)
        assert at_it.wait(10)
        assert not store.hung
        monkeypatch.setattr("kmsg_exporter.collector.store.HUNG_SECONDS", -1)
        assert store.hung
        held.set()
        store.tidy().result(10)
    assert store.hung  # closed: no writer any more


def test_events_that_nobody_waits_for_any_more_are_let_go_of_at_once(store: Store) -> None:
    held, at_it = threading.Event(), threading.Event()

    def stuck() -> None:
        at_it.set()
        held.wait(30)

    stuck_at = store._ask(stuck)
    assert at_it.wait(30)
    given = Given([event("a")])
    seen = weakref.ref(given)
    waiting, other = store.add(given), store.add([event("b")])
    del given
    assert waiting.cancel()
    assert seen() is None
    held.set()
    stuck_at.result(10)
    other.result(10)
    assert uids(store) == ["b"]


def test_a_damaged_file_says_what_to_do(open_store: Callable[[], Store], path: Path) -> None:
    with open_store() as store:
        store.add([replace(event(str(number)), document="x" * 4096) for number in range(50)]).result(10)
    damaged = bytearray(path.read_bytes())
    damaged[4096:8192] = b"\xaa" * 4096
    path.write_bytes(damaged)
    with (
        pytest.raises(CollectorError, match=r"malformed: it is damaged: stop the collector, move the file and"),
        open_store() as store,
    ):
        store.add([event("a")]).result(10)


def test_each_commit_is_timed_and_counted(store: Store) -> None:
    store.add([event("a"), event("b")]).result(10)
    assert sum(store.state.commit_seconds.counts) == 1
    assert dict(store.state.commit_events.cumulative())["2.0"] == 1
    assert store.state.commit_events.total == 2


def test_readers_that_overlap_do_not_keep_the_log_of_changes_growing(
    open_store: Callable[[], Store], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "WAL_BYTES", 1 << 20)
    over, both = threading.Event(), threading.Barrier(2)

    def read(offset_seconds: float) -> None:
        both.wait(10)
        over.wait(offset_seconds)
        while not over.is_set():
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
                connection.execute("BEGIN")
                connection.execute("SELECT count(*) FROM event").fetchone()
                over.wait(0.05)

    sizes = []
    with open_store() as store:
        readers = [threading.Thread(target=read, args=(offset,)) for offset in (0.0, 0.025)]
        for reader in readers:
            reader.start()
        try:
            for number in range(60):
                store.add([replace(event(f"{number}"), document="x" * 200_000)]).result(30)
                if number % 6 == 5:
                    store.tidy().result(30)
                    sizes.append(path.with_name(f"{path.name}-wal").stat().st_size)
        finally:
            over.set()
            for reader in readers:
                reader.join(10)
    assert max(sizes) < 4 << 20
