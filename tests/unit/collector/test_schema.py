"""A store of the first version, as its program left it, opened by this one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kmsg_exporter.collector import schema
from kmsg_exporter.collector.decode import decode_logs
from kmsg_exporter.collector.event import StoredEvent
from kmsg_exporter.collector.store import Outcome, Store

STORES = Path(__file__).parent / "stores"
EVENTS = (
    "SELECT seq, uid, variant, received_unix_ns, time_unix_ns, node, instance, boot_id, sequence, cluster, host_id, "
    "version, emptyings, hidden, severe, expected FROM event ORDER BY seq"
)
FIRST_NS = 1_769_999_000_000_000_000
SECOND_NS = 1_769_999_500_000_000_000
RECEIVED = 1_770_000_000_000_000_000
INSTANCE = "0b6b4f3e-1111-4222-8333-944445555666"


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    return Path(shutil.copy(STORES / "version-1.sqlite3", tmp_path / "events.sqlite3"))


def query(path: Path, what: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(what).fetchall()


def opened(path: Path) -> Store:
    return Store(path, clock_ns=lambda: RECEIVED)


def test_its_events_have_the_new_columns(first_version: Path) -> None:
    opened(first_version).close()
    assert query(first_version, EVENTS) == [
        (1, "uid-1", 0, RECEIVED, FIRST_NS, "node-7", INSTANCE, "boot-a", 1, "blue", "3f1c", "0.1.0", 3, 812, 3, 1),
        (2, "uid-2", 0, RECEIVED, SECOND_NS, "node-7", INSTANCE, "boot-a", 2, "blue", "3f1c", "0.1.0", 1, None, 0, 0),
        (3, "uid-3", 0, RECEIVED, None, "", "", "", None, "", "", "", 1, None, 0, 0),
    ]


def test_its_documents_are_as_they_were(first_version: Path) -> None:
    before = query(first_version, "SELECT seq, document FROM event ORDER BY seq")
    opened(first_version).close()
    assert query(first_version, "SELECT seq, text FROM document ORDER BY seq") == before
    assert query(first_version, "SELECT bytes FROM event ORDER BY seq") == [(len(text),) for _, text in before]


def test_an_event_of_it_that_comes_again_is_a_duplicate(first_version: Path, record: Any, body: Any) -> None:
    attributes = {
        "kmsg.sequence": 2,
        "kmsg.boot_id": "boot-a",
        "kmsg.process.comm": "dmesg",
        "process.executable.path": "/usr/bin/dmesg",
        "kmsg.process.origin": "cleanup.sh",
    }
    sent = body(
        record(
            "uid-2",
            timeUnixNano="1769999500000000000",
            body={"stringValue": "emptied uid-2"},
            attributes=attributes,
        ),
        resource={"service.version": "0.2.0"},  # upgraded since
    )
    with opened(first_version) as store:
        assert store.add(decode_logs(sent).events).result(10) == Outcome(duplicates=1)


def test_a_migration_that_was_killed_goes_on(first_version: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MIGRATION_STEP", 1)
    moved, real = [], schema._moved

    def killed(row: tuple[Any, ...]) -> dict[str, object]:
        moved.append(row[0])
        if len(moved) == 2:
            raise KeyboardInterrupt
        return real(row)

    monkeypatch.setattr(schema, "_moved", killed)
    with pytest.raises(KeyboardInterrupt):
        opened(first_version)
    assert query(first_version, "SELECT seq FROM event") == [(1,)]
    opened(first_version).close()
    assert moved == [1, 2, 2, 3]
    assert query(first_version, "SELECT seq FROM event JOIN document USING (seq)") == [(1,), (2,), (3,)]
    assert query(first_version, "SELECT name FROM sqlite_master WHERE name = 'event_1'") == []


def test_it_ends_with_what_a_new_store_has(first_version: Path, tmp_path: Path) -> None:
    opened(first_version).close()
    opened(tmp_path / "new.sqlite3").close()
    what = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert query(first_version, what) == query(tmp_path / "new.sqlite3", what)
    assert query(first_version, "PRAGMA user_version") == [(3,)]
    assert query(first_version, "PRAGMA integrity_check") == [("ok",)]


def test_a_store_of_the_second_version_goes_on_with_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "events.sqlite3"
    opened(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TABLE gone; PRAGMA user_version = 2")
    with opened(path) as store:
        store.add([StoredEvent("a", FIRST_NS, "node-7", "dmesg", "", "", "{}")]).result(10)
    assert query(path, "SELECT seq FROM event") == [(1,)]
    assert query(path, "SELECT last_seq FROM gone") == [(0,)]
    assert query(path, "PRAGMA user_version") == [(3,)]
