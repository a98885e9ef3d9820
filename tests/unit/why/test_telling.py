"""What a running agent is about to tell is waited for; what it does not tell is not said to be unknown to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_node import FakeNode, emptied

from kmsg_exporter.why import telling
from kmsg_exporter.why.kmsg import Record, Ring
from kmsg_exporter.why.telling import Told

HIDES = Ring(tuple(Record(b"x", seq, 6, seq) for seq in range(10)), 8, 0)


class Waiting:
    """A clock that moves only where somebody sleeps."""

    def __init__(self) -> None:
        self.slept = 0

    def monotonic(self) -> float:
        return self.slept * 0.1

    def sleep(self, _: float) -> None:
        self.slept += 1
        assert self.slept < 1000


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNode]:
    with monkeypatch.context() as patch:
        made = FakeNode(tmp_path, patch)
        made.history(emptied(60, 0, 3))
        yield made
    time.tzset()


def locked(node: FakeNode, pid: int | None) -> None:
    inode = node.state.stat().st_ino
    (node.proc / "locks").write_text("" if pid is None else f"1: FLOCK  ADVISORY  WRITE {pid} fe:00:{inode} 0 EOF\n")


def ask(node: FakeNode, waiting: Waiting, ring: Ring = HIDES) -> Told:
    return telling.told(node.state, ring, node.proc, monotonic=waiting.monotonic, sleep=waiting.sleep)


def test_a_clear_that_the_agent_tells_late_is_waited_for(node: FakeNode) -> None:
    class Tells(Waiting):
        def sleep(self, _: float) -> None:
            super().sleep(_)
            if self.slept == 100:  # ten seconds
                node.history(emptied(70, 4, 7))

    locked(node, 42)
    waiting = Tells()
    found = ask(node, waiting)
    assert (found.more, waiting.slept) == (False, 100)
    assert found.past is not None
    assert [event.sequence for event in found.past] == [2, 1]


def test_an_agent_that_does_not_tell_is_not_waited_for_without_end(node: FakeNode) -> None:
    locked(node, 42)
    waiting = Waiting()
    assert (ask(node, waiting).more, waiting.slept > 250) == (True, True)


def test_an_agent_that_ends_meanwhile_has_told(node: FakeNode) -> None:
    class Ends(Waiting):
        def sleep(self, _: float) -> None:
            super().sleep(_)
            node.history(emptied(70, 4, 7))
            locked(node, None)

    locked(node, 42)
    found = ask(node, Ends())
    assert (found.more, len(found.past or ())) == (False, 2)


def test_nothing_is_waited_for_where_no_agent_runs_or_nothing_is_to_be_told(node: FakeNode) -> None:
    locked(node, None)
    waiting = Waiting()
    assert ask(node, waiting).more is False
    locked(node, 42)
    assert ask(node, waiting, Ring(HIDES.records, 0, 0)).more is False
    assert ask(node, waiting, Ring(HIDES.records, 4, 0)).more is False
    assert waiting.slept == 0
