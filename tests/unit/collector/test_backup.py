"""A copy of the store beside a collector that writes."""

from __future__ import annotations

import io
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pytest

from kmsg_exporter import cli
from kmsg_exporter.collector import backup
from kmsg_exporter.collector.backup import back_up
from kmsg_exporter.collector.event import Sender, StoredEvent
from kmsg_exporter.collector.store import Store
from kmsg_exporter.errors import CollectorError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def event(number: int) -> StoredEvent:
    sender = Sender(instance="one", sequence=number)
    return StoredEvent(f"{number:06}", None, "node-7", "dmesg", "", "", "x" * 4096, sender)


def numbers(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT uid FROM event JOIN document USING (seq) ORDER BY uid").fetchall()
        streams = connection.execute("SELECT stored FROM stream").fetchall()
    assert streams == [(len(rows),)]
    return [int(uid) for (uid,) in rows]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "collector" / "events.sqlite3") as opened:
        opened.add([event(number) for number in range(1, 501)]).result(30)
        yield opened


@pytest.fixture
def flood(store: Store) -> Iterator[Callable[[], None]]:
    """Events that go on arriving while it is copied; called, it waits for the next one to be stored."""
    stopping, stored = threading.Event(), threading.Semaphore(0)

    def send() -> None:
        number = 501
        while not stopping.is_set():
            store.add([event(number)]).result(30)
            stored.release()
            number += 1

    sender = threading.Thread(target=send)
    sender.start()

    def next_one() -> None:
        assert stored.acquire(timeout=30)

    yield next_one
    stopping.set()
    sender.join()


def test_the_copy_is_one_moments_state_whatever_is_written_meanwhile(
    store: Store, flood: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "STEP_PAGES", 16)
    between = backup._Progress.__call__

    def slowly(self: backup._Progress, status: int, remaining: int, total: int) -> None:
        flood()  # a commit between any two steps
        between(self, status, remaining, total)

    monkeypatch.setattr(backup._Progress, "__call__", slowly)
    flood()
    back_up(store.path, tmp_path / "copy.sqlite3")
    copied = numbers(tmp_path / "copy.sqlite3")
    assert len(copied) >= 500
    assert copied == list(range(1, len(copied) + 1))
    assert len(copied) < store.state.outcome.stored


def test_the_copy_can_be_run_on(store: Store, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    back_up(store.path, tmp_path / "new" / "events.sqlite3")
    with Store(tmp_path / "new" / "events.sqlite3") as restored:
        again = restored.add([event(500), event(501)]).result(30)
        assert (again.duplicates, again.stored) == (1, 1)


def test_only_its_owner_may_read_it_and_nothing_else_is_left(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "backups" / "copy.sqlite3"
    target.parent.mkdir()
    back_up(store.path, target)
    assert [path.name for path in target.parent.iterdir()] == ["copy.sqlite3"]
    assert target.stat().st_mode & 0o777 == 0o600


def test_it_is_written_over_nothing(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite3"
    target.write_text("kept")
    with pytest.raises(CollectorError) as raised:
        back_up(store.path, target)
    assert str(raised.value) == f"{target} is there already and is not written over: choose another name"
    assert target.read_text() == "kept"


def test_what_came_there_meanwhile_is_not_written_over_either(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "copy.sqlite3"
    real = backup._copy

    def copy(source: Path, partial: Path, terminal: TextIO | None) -> None:
        real(source, partial, terminal)
        target.write_text("kept")

    monkeypatch.setattr(backup, "_copy", copy)
    with pytest.raises(CollectorError, match="is there already and is not written over"):
        back_up(store.path, target)
    assert target.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["collector", "copy.sqlite3"]


def test_a_folder_that_is_not_there_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(CollectorError, match=r"can't back up .* to .*/no/copy: .*No such file or directory"):
        back_up(store.path, tmp_path / "no" / "copy")


def test_a_terminal_is_told_how_far_it_is_when_it_takes_longer(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet, told = Terminal(), Terminal()
    back_up(store.path, tmp_path / "one", terminal=quiet)
    assert quiet.getvalue() == ""
    monkeypatch.setattr(backup, "QUIET_SECONDS", 0.0)
    monkeypatch.setattr(backup, "STEP_PAGES", 300)
    back_up(store.path, tmp_path / "two", terminal=told)
    first, *_, last = told.getvalue().split("\r")[1:]
    assert first.endswith(" % copied")
    assert last == "\x1b[K"
    back_up(store.path, tmp_path / "three", terminal=io.StringIO())  # no terminal


def test_the_command_makes_one_while_the_collector_runs(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["collector", f"--collector.directory={store.path.parent}", "--backup", str(tmp_path / "copy")]
    assert cli.main(command, {}) == 0
    assert numbers(tmp_path / "copy") == list(range(1, 501))
    assert cli.main(command, {}) == 1
    assert capsys.readouterr().err == (
        f"kmsg-exporter: {tmp_path}/copy is there already and is not written over: choose another name\n"
    )


def test_where_nothing_is_stored_the_command_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["collector", f"--collector.directory={tmp_path}", "--backup", str(tmp_path / "copy")]
    assert cli.main(command, {}) == 1
    assert capsys.readouterr().err == (
        f"kmsg-exporter: there is no collector's store at {tmp_path}/events.sqlite3: name the directory that the "
        "collector has by --collector.directory\n"
    )


def test_events_are_what_they_were(store: Store, tmp_path: Path) -> None:
    store.add([replace(event(501), document="\x00 and ü")]).result(30)
    back_up(store.path, tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy")) as connection:
        assert connection.execute("SELECT text FROM document ORDER BY seq DESC LIMIT 1").fetchone() == ("\x00 and ü",)
