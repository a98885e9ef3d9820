"""The spool on real SQLite files: what is stored once stays, what can't be stored says so."""

from __future__ import annotations

import json
import logging
import resource
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kmsg_exporter.errors import SpoolError, SpoolInUse, SpoolTooNew
from kmsg_exporter.push import spool as spool_module
from kmsg_exporter.push.identity import RingPosition
from kmsg_exporter.push.spool import Spool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "spool.db"


def render(uid: str, sequence: int) -> Mapping[str, object]:
    return {"uid": uid, "sequence": sequence}


def large(uid: str, sequence: int) -> Mapping[str, object]:
    return {"uid": uid, "sequence": sequence, "text": "x" * 9000}


def sequences(spool: Spool) -> list[int]:
    return [event.sequence for event in reversed(spool.history(1000))]


@contextmanager
def no_file_may_grow(limit_bytes: int) -> Iterator[None]:
    """What a full disk is to SQLite: writes beyond the limit fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_event_gets_its_uid_and_sequence_before_it_is_stored_and_keeps_them(path: Path) -> None:
    with closing(Spool(path, clock=lambda: 100.0)) as spool:
        first, second = spool.append(render), spool.append(render)
    assert [first.sequence, second.sequence] == [1, 2]
    assert json.loads(first.record) == {"uid": first.uid, "sequence": 1}
    with closing(Spool(path)) as spool:
        assert spool.unsent() == [first, second]
        assert spool.state.queue_events == 2
        assert spool.state.queue_oldest_unix == 100.0
        assert spool.append(render).sequence == 3


def test_the_agent_s_instance_id_is_made_once_for_each_state_directory(path: Path, tmp_path: Path) -> None:
    with closing(Spool(path)) as spool:
        made = spool.instance_id
    with closing(Spool(path)) as spool, closing(Spool(tmp_path / "other.db")) as other:
        assert spool.instance_id == made != other.instance_id


def test_the_ring_s_position_is_stored_with_the_event_that_moved_it(path: Path) -> None:
    with closing(Spool(path)) as spool:
        assert spool.load_position() is None
        spool.append(render, position=RingPosition("boot", 7))
        spool.append(render)
    with closing(Spool(path)) as spool:
        assert spool.load_position() == RingPosition("boot", 7)
        assert sequences(spool) == [1, 2]
        spool.append(render, position=RingPosition("boot", None))
    with closing(Spool(path)) as spool:
        assert spool.load_position() == RingPosition("boot", None)


def test_an_event_that_can_t_be_rendered_stores_nothing_and_takes_no_sequence(path: Path) -> None:
    def broken(uid: str, sequence: int) -> Mapping[str, object]:
        raise ValueError(f"{sequence} {uid}")

    with closing(Spool(path)) as spool:
        with pytest.raises(ValueError, match=r"^1 "):
            spool.append(broken, position=RingPosition("boot", 7))
        assert spool.load_position() is None
        assert spool.append(render).sequence == 1


def test_what_was_sent_stays_as_history_and_is_not_sent_again(path: Path) -> None:
    with closing(Spool(path)) as spool:
        first, second = spool.append(render), spool.append(render)
        spool.mark_sent({first.uid, "unknown"}, 200.0)
        assert [event.sequence for event in spool.unsent()] == [2]
        assert [(event.sequence, event.sent_unix) for event in spool.history()] == [(2, None), (1, 200.0)]
        assert spool.history(1) == [second]
        assert spool.state.queue_events == 1


def test_a_batch_is_bounded_by_count_and_bytes_but_never_empty(path: Path) -> None:
    with closing(Spool(path)) as spool:
        for _ in range(5):
            spool.append(large)
        assert [event.sequence for event in spool.unsent(3)] == [1, 2, 3]
        assert [event.sequence for event in spool.unsent(64, 20_000)] == [1, 2]
        assert [event.sequence for event in spool.unsent(64, 10)] == [1]


def test_a_full_spool_gives_up_the_oldest_sent_first_then_the_oldest_unsent_and_counts_those(path: Path) -> None:
    with closing(Spool(path, max_bytes=120 << 10)) as spool:
        for _ in range(6):
            spool.append(large)
        spool.mark_sent({event.uid for event in spool.unsent()[3:5]}, 1.0)
        while {4, 5} < set(sequences(spool)):
            assert sequences(spool)[:3] == [1, 2, 3]
            newest = spool.append(large).sequence
        while spool.state.dropped_total["spool_full"] == 0:
            newest = spool.append(large).sequence
        assert sequences(spool) == [2, 3, *range(6, newest + 1)]
        assert spool.state.dropped_total == {"spool_full": 1, "spool_corrupt": 0, "refused": 0}
    assert path.stat().st_size <= 136 << 10


def test_the_newest_event_is_kept_however_small_the_spool(path: Path) -> None:
    with closing(Spool(path, max_bytes=1)) as spool:
        spool.append(large)
        spool.append(large)
        assert sequences(spool) == [2]


def test_a_newer_schema_is_refused_by_name_and_left_alone(path: Path) -> None:
    Spool(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 9")
    before = path.read_bytes()
    with pytest.raises(SpoolTooNew) as caught:
        Spool(path)
    assert str(caught.value).startswith(f"{path} has schema version 9, this program knows versions up to 2: ")
    assert path.read_bytes() == before


def test_a_spool_of_the_first_schema_is_migrated_with_all_that_is_in_it(path: Path) -> None:
    """data/spool-v1.sqlite3 was written by the program that made that schema: two events, the first one sent."""
    path.parent.mkdir()
    shutil.copy(Path(__file__).parent / "data" / "spool-v1.sqlite3", path)
    with closing(Spool(path)) as spool:
        assert spool.instance_id == "d6260718-88a1-4bfa-a085-00bd0352e49e"
        assert spool.load_position() == RingPosition("5f0c", 7)
        assert [(event.sequence, event.uid, event.sent_unix, event.aside) for event in spool.history()] == [
            (2, "018bcfe5-6800-79d5-82f7-dd73030785e4", None, False),
            (1, "018bcfe5-6800-79d5-82f7-dd7258367755", 1_700_000_001.0, False),
        ]
        spool.set_aside("018bcfe5-6800-79d5-82f7-dd73030785e4")
        assert spool.append(render).sequence == 3
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_second_writer_is_refused(path: Path) -> None:
    with closing(Spool(path)) as spool:
        with pytest.raises(SpoolInUse) as caught:
            Spool(path)
        assert str(caught.value) == (
            f"another process writes to {path}: stop it first, or give this one another --state-directory"
        )
        spool.append(render)
    Spool(path).close()


def test_what_is_set_aside_waits_no_more_and_is_history(path: Path) -> None:
    with closing(Spool(path)) as spool:
        first, second = spool.append(render), spool.append(render)
        spool.set_aside(first.uid)
        assert spool.unsent() == [second]
        assert spool.state.queue_events == 1
        assert spool.state.dropped_total["refused"] == 1
    with closing(Spool(path)) as spool:
        assert spool.set_aside_uids() == [first.uid]
        assert [event.aside for event in spool.history()] == [False, True]
        spool.mark_sent({first.uid}, 5.0)
        assert spool.set_aside_uids() == []
        found = spool.find(first.uid)
        assert found is not None
        assert (found.sent_unix, found.aside) == (5.0, False)


def test_set_aside_events_make_room_before_those_that_wait(path: Path) -> None:
    with closing(Spool(path, max_bytes=120 << 10)) as spool:
        uids = [spool.append(large).uid for _ in range(6)]
        spool.set_aside(uids[3])
        while 4 in sequences(spool):
            spool.append(large)
        assert sequences(spool)[:3] == [1, 2, 3]
        assert spool.state.dropped_total["spool_full"] == 0


def test_the_last_three_corrupt_files_are_kept(path: Path) -> None:
    path.parent.mkdir()
    for number in range(5):
        path.write_bytes(b"%d is no database" % number * 1000)
        Spool(path).close()
        path.unlink()
    kept = {file.name: file.read_bytes()[:1] for file in path.parent.iterdir() if "corrupt" in file.name}
    assert kept == {"spool.db.corrupt": b"4", "spool.db.corrupt.1": b"3", "spool.db.corrupt.2": b"2"}


def test_a_corrupt_file_is_set_aside_and_a_fresh_one_begun(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 1000)
    with closing(Spool(path)) as spool:
        assert spool.append(render).sequence == 1
        assert spool.durable
        assert spool.state.dropped_total == {"spool_full": 0, "spool_corrupt": 1, "refused": 0}
    aside = path.with_name("spool.db.corrupt")
    assert aside.read_bytes() == b"not a database" * 1000
    assert f"the spool {path} is corrupt (file is not a database): kept as {aside}, begun afresh" in caplog.text
    with closing(Spool(path)) as spool:
        assert sequences(spool) == [1]


def test_a_file_that_turns_out_corrupt_later_costs_its_own_events_only(path: Path) -> None:
    with closing(Spool(path)) as spool:
        for _ in range(40):
            spool.append(large, position=RingPosition("boot", 7))
        made = spool.instance_id
    with path.open("r+b") as file:  # every page but the first, which holds the schema
        size = file.seek(0, 2)
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
        file.seek(0)
    with closing(Spool(path)) as spool:
        event = spool.append(render)
        assert spool.unsent() == [event]
        assert spool.state.dropped_total["spool_corrupt"] == 1
        assert spool.instance_id != made


def test_pages_that_rot_under_a_running_agent_do_not_break_its_sequence(path: Path) -> None:
    with closing(Spool(path)) as spool:
        for _ in range(40):
            spool.append(large)
        made = spool.instance_id
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            pages = [row[0] for row in db.execute("SELECT rootpage FROM sqlite_schema WHERE name LIKE '%event%'")]
        with path.open("r+b") as file:
            for page in pages:
                file.seek((page - 1) * 4096)
                file.write(b"\xa5" * 4096)
        with closing(sqlite3.connect(path)) as db:  # makes the spool's connection forget its cached pages
            db.execute("UPDATE agent SET sequence = sequence")
            db.commit()
        event = spool.append(render, position=RingPosition("boot", 8))
        assert (event.sequence, spool.instance_id) == (41, made)
        assert spool.unsent() == [event]
    with closing(Spool(path)) as spool:
        assert (spool.instance_id, spool.load_position()) == (made, RingPosition("boot", 8))
        assert sequences(spool) == [41]


def test_a_state_directory_that_can_t_be_made_leaves_memory_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    with closing(Spool(tmp_path / "state" / "spool.db")) as spool:
        assert not spool.durable
        event = spool.append(render, position=RingPosition("boot", 7))
        assert spool.unsent() == [event]
        spool.mark_sent({event.uid}, 1.0)
        assert spool.unsent() == []
        assert spool.load_position() == RingPosition("boot", 7)
        assert not spool.durable
    assert caplog.text.count("events are kept in memory and would be lost with this process") == 1


def test_events_of_a_full_disk_wait_in_memory_and_settle_when_there_is_room_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with closing(Spool(path)) as spool:
        first = spool.append(render)
        with no_file_may_grow(path.with_name("spool.db-wal").stat().st_size):
            second = spool.append(large, position=RingPosition("boot", 7))
            third = spool.append(large)
            assert not spool.durable
            assert spool.unsent() == [first, second, third]
            spool.mark_sent({first.uid, second.uid}, 5.0)
            assert spool.unsent() == [third]
            assert [event.sent_unix for event in spool.history()] == [None, 5.0, 5.0]
            assert spool.state.queue_events == 1
        fourth = spool.append(render)
        assert spool.durable
    assert caplog.text.count("can't be written") == 1
    assert caplog.text.count("can be written again") == 1
    with closing(Spool(path)) as spool:
        assert spool.unsent() == [third, fourth]
        assert sequences(spool) == [1, 2, 3, 4]
        assert spool.load_position() == RingPosition("boot", 7)


def test_what_waits_for_a_full_disk_is_bounded_and_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kmsg_exporter.push.spool.MEMORY_MAX_BYTES", 30_000)
    with closing(Spool(path)) as spool:
        with no_file_may_grow(path.with_name("spool.db-wal").stat().st_size):
            for _ in range(5):
                spool.append(large)
            assert sequences(spool) == [3, 4, 5]
            assert spool.state.queue_events == 3
            assert spool.state.dropped_total["spool_full"] == 2
        spool.append(render)
        assert sequences(spool) == [3, 4, 5, 6]


def test_only_the_owner_can_read_it(path: Path) -> None:
    with closing(Spool(path)) as spool:
        spool.append(render)
        assert {file.name: oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == {
            "spool.db": "0o600",
            "spool.db.lock": "0o600",
            "spool.db.reserve": "0o600",
            "spool.db-shm": "0o600",
            "spool.db-wal": "0o600",
        }
    assert oct(path.parent.stat().st_mode & 0o777) == "0o700"


def test_one_thread_appends_while_another_marks(path: Path) -> None:
    with closing(Spool(path)) as spool:
        done = threading.Event()

        def send() -> None:
            while not done.is_set() or spool.state.queue_events:
                spool.mark_sent({event.uid for event in spool.unsent(7)}, 1.0)

        thread = threading.Thread(target=send)
        thread.start()
        for _ in range(100):
            spool.append(render)
        done.set()
        thread.join(30)
        assert sequences(spool) == list(range(1, 101))
        assert spool.unsent() == []


def test_a_closed_spool_says_so(path: Path) -> None:
    spool = Spool(path)
    spool.close()
    spool.close()
    with pytest.raises(SpoolError, match="is closed"):
        spool.append(render)
    with pytest.raises(SpoolError, match="is closed"):
        spool.unsent()
    with pytest.raises(SpoolError, match="is closed"):
        spool.mark_sent({"u"}, 1.0)


def test_an_event_that_was_set_aside_and_is_taken_while_the_disk_refuses_was_none_that_waited(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Spool(path)) as spool:
        aside, waiting = spool.append(render), spool.append(render)
        spool.set_aside(aside.uid)
        with monkeypatch.context() as disk:
            disk.setattr(Spool, "_write", refuse)
            spool.mark_sent({aside.uid}, 1.0)
            assert not spool.durable
            assert (spool.unsent(), spool.state.queue_events) == ([waiting], 1)
            spool.set_aside(waiting.uid)
            assert (spool.unsent(), spool.state.queue_events) == ([], 0)
            assert spool.set_aside_uids() == [waiting.uid]
        spool.settle()
        assert (spool.durable, spool.state.queue_events) == (True, 0)


def refuse(*_: object, **__: object) -> int:
    raise sqlite3.OperationalError("disk I/O error")


@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced by a backup"])
def test_what_waits_outlives_a_state_directory_that_goes_under_the_agent(
    path: Path, replaced: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Spool(path)) as spool:
        sent = spool.append(render)
        backed_up = spool.append(render)
        spool.mark_sent({sent.uid}, 1.0)
        backup = path.with_name("backup")
        with closing(sqlite3.connect(path)) as disk, closing(sqlite3.connect(backup)) as copy:
            disk.backup(copy)
        spool.append(render)
        kept = backup.read_bytes()
        shutil.rmtree(path.parent)
        if replaced:
            path.parent.mkdir()
            path.write_bytes(kept)
        newest = spool.append(render)
        assert spool.durable
        assert (newest.sequence, spool.last_sequence, spool.state.queue_events) == (4, 4 + replaced, 3)
        assert f"the spool {path} was removed or replaced under the agent" in caplog.text
        instance = spool.instance_id
    with closing(Spool(path)) as spool:
        waiting = [json.loads(event.record)["sequence"] for event in spool.unsent()]
        assert (waiting, spool.instance_id) == ([2, 3, 4], instance)
        assert {event.uid for event in spool.unsent()} >= {backed_up.uid, newest.uid}


def test_closing_does_not_wait_for_a_disk_that_hangs(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(spool_module, "_CLOSE_SECONDS", 0.05)
    writing, over = threading.Event(), threading.Event()
    write = Spool._write

    def hangs(spool: Spool, *args: Any, **kwargs: Any) -> int:
        writing.set()
        over.wait(20)
        return write(spool, *args, **kwargs)

    spool = Spool(path)
    monkeypatch.setattr(Spool, "_write", hangs)
    thread = threading.Thread(target=spool.append, args=(render,))
    thread.start()
    writing.wait(20)
    spool.close()
    assert "its disk takes too long" in caplog.text
    over.set()
    thread.join(20)
    assert spool.state.queue_events == 1
    spool.close()
