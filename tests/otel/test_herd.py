"""200 agents' real spools and senders, emptied at once, against collectors that are killed: every event is there."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from conftest import MakeGateway
from gateway import uid
from process import Program, eventually, free_port, listens

PROCESSES, MEMBERS, EVENTS = 8, 25, 5
KILLS = 3
_HERE = Path(__file__).parent


def test_the_real_collector_has_every_event(gateway: MakeGateway, certificates: Path, herd_folder: Path) -> None:
    receiver = gateway("to-file.yaml")
    with _herd(herd_folder, receiver.url, str(certificates / "ca.crt")) as herd:
        _kill_in_the_middle(receiver, lambda: len(receiver.records()))
        _require_ended(herd)
    left = _left(herd_folder)
    times = Counter(uid(record) for record in receiver.records())
    assert len(left) == PROCESSES * MEMBERS * EVENTS
    assert set(times) == left


def test_the_embedded_collector_has_every_event_once(
    running: Callable[[Program], None], tmp_path: Path, herd_folder: Path
) -> None:
    port, store = free_port(), tmp_path / "store"
    words = ["--collector.listen-address", f"127.0.0.1:{port}", "--collector.directory", str(store)]
    command = [sys.executable, "-m", "kmsg_exporter", "collector", *words]
    log = tmp_path / "collector.log"
    receiver = Program(command, log, environ=os.environ, ready=lambda: listens(port))
    running(receiver)
    with _herd(herd_folder, f"http://127.0.0.1:{port}/v1/logs", "") as herd:
        _kill_in_the_middle(receiver, lambda: len(_stored(store)))
        _require_ended(herd)
    left = _left(herd_folder)
    assert len(left) == PROCESSES * MEMBERS * EVENTS
    assert sorted(_stored(store)) == sorted(left)


@pytest.fixture
def herd_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "herd"
    folder.mkdir()
    return folder


def _kill_in_the_middle(receiver: Program, arrived: Callable[[], int]) -> None:
    """Each time when more has arrived, and not all."""
    whole = PROCESSES * MEMBERS * EVENTS
    for number in range(KILLS):
        wanted = whole * (number + 1) // (KILLS + 2)
        eventually(partial(_is_over, arrived, wanted), "more has arrived")
        receiver.kill()
        receiver.start()


def _is_over(arrived: Callable[[], int], wanted: int) -> bool:
    return arrived() > wanted


@contextmanager
def _herd(folder: Path, url: str, ca_file: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Its processes, of which all have made their events; what runs afterwards is killed."""
    environ = {**os.environ, "NO_PROXY": "*", "PYTHONPATH": os.pathsep.join(map(str, _paths()))}
    herd: list[subprocess.Popen[str]] = []
    with ExitStack() as stack:
        for number in range(PROCESSES):
            words = [folder, url, ca_file, number * MEMBERS, MEMBERS, EVENTS]
            command = [sys.executable, str(_HERE / "members.py"), *map(str, words)]
            herd.append(subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True))
            stack.callback(_ended, herd[-1])
        yield herd


def _paths() -> list[Path]:
    return [_HERE, _HERE.parent / "bench"]


def _ended(member: subprocess.Popen[str]) -> None:
    with member:
        member.kill()


def _require_ended(herd: list[subprocess.Popen[str]]) -> None:
    assert [member.wait(300) for member in herd] == [0] * PROCESSES


def _left(folder: Path) -> set[str]:
    """Every uid that the spools hold, all of them sent."""
    uids: set[str] = set()
    for path in folder.glob("*.sqlite3"):
        with closing(sqlite3.connect(path)) as spool:
            rows = spool.execute("SELECT uid, sent_unix FROM event").fetchall()
        assert all(sent is not None for _, sent in rows)
        uids.update(uid for uid, _ in rows)
    return uids


def _stored(folder: Path) -> list[str]:
    """Every uid in the embedded collector's store."""
    with closing(sqlite3.connect(f"file:{folder / 'events.sqlite3'}?mode=ro", uri=True)) as store:
        return [uid for (uid,) in store.execute("SELECT uid FROM event")]
