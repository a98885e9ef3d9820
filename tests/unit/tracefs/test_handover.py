"""A folder that is lent, and asked back, by processes' own locks."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from kmsg_exporter.errors import AlreadyRunning
from kmsg_exporter.tracefs.handover import hold_or_ask, is_wanted, offer
from kmsg_exporter.tracefs.lock import hold

PROC = Path("/proc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "instances").mkdir()
    return tmp_path


def test_what_is_free_is_held_at_once(folder: Path) -> None:
    os.close(hold_or_ask(folder, proc=PROC))
    os.close(hold(folder, proc=PROC))


def test_what_was_not_offered_is_refused_at_once_with_the_holder(folder: Path) -> None:
    held = hold(folder, proc=PROC)
    with pytest.raises(AlreadyRunning, match=rf"another kmsg-exporter \(pid {os.getpid()}\)"):
        hold_or_ask(folder, proc=PROC, wait_seconds=3600)
    os.close(held)


def test_nobody_wants_what_nobody_asks_for(folder: Path) -> None:
    offered = offer(folder)
    assert [is_wanted(offered) for _ in range(3)] == [False] * 3
    os.close(offered)


def test_who_offers_sees_that_it_is_wanted_and_who_waits_gets_it(folder: Path) -> None:
    held, offered = hold(folder, proc=PROC), offer(folder)
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(hold_or_ask(folder, proc=PROC, wait_seconds=60)))
    waiting.start()
    while not is_wanted(offered):
        assert waiting.is_alive()
    assert is_wanted(offered)  # and goes on to be
    os.close(held)
    os.close(offered)
    waiting.join(60)
    assert len(got) == 1
    with pytest.raises(AlreadyRunning):
        hold(folder, proc=PROC)
    os.close(got[0])


def test_who_offers_and_does_not_give_way_is_waited_for_no_longer_than_that(folder: Path) -> None:
    held, offered = hold(folder, proc=PROC), offer(folder)
    with pytest.raises(AlreadyRunning):
        hold_or_ask(folder, proc=PROC, wait_seconds=0.0)
    assert not is_wanted(offered)
    os.close(held)
    os.close(offered)


def test_a_folder_without_what_is_locked_inside_is_held_or_not(tmp_path: Path) -> None:
    held = hold_or_ask(tmp_path, proc=PROC)
    with pytest.raises(AlreadyRunning, match=r"another kmsg-exporter \(pid \d+\) runs"):
        hold_or_ask(tmp_path, proc=PROC)
    os.close(held)
