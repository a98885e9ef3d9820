"""An event that was drafted and not stored is stored by the next life, once."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from kmsg_exporter.agent.keeping import Keeper, store_left
from kmsg_exporter.agent.teller import Told
from kmsg_exporter.model import Actor, Emptying, Hidden
from kmsg_exporter.push.draft import Draft
from kmsg_exporter.push.identity import RingPosition
from kmsg_exporter.push.spool import Spool

ACTOR = Actor(7, 7, "second", "/usr/bin/second", "exec_trace")
TOLD = Told(Emptying(time_unix_ns=5, hidden=Hidden(3, 4, 6), actor=ACTOR, coalesced=2), visible_from=7, number=2)


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    return Draft(tmp_path / "run" / "spool.draft", "boot")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool.sqlite3")


def attributes(record: str) -> dict[str, object]:
    return {one["key"]: next(iter(one["value"].values())) for one in json.loads(record)["attributes"]}


def test_what_was_drafted_is_stored_by_the_next_life_with_a_uid_and_a_number_of_its_own(
    spool: Spool, draft: Draft
) -> None:
    keeper = Keeper(spool, draft, node="node-7", boot_id="boot")
    assert keeper.store(TOLD)
    assert keeper.draft(TOLD)
    store_left(spool, draft)
    first, second = spool.unsent()
    assert (second.sequence, spool.load_position()) == (2, RingPosition("boot", 7))
    told = attributes(second.record)
    assert (told["log.record.uid"], told["kmsg.sequence"]) == (second.uid, "2")
    assert second.uid != first.uid
    same = ("kmsg.process.comm", "kmsg.hidden.records", "kmsg.coalesced", "kmsg.boot_id")
    assert [told[key] for key in same] == [attributes(first.record)[key] for key in same]


def test_what_was_stored_is_not_stored_again(spool: Spool, draft: Draft) -> None:
    keeper = Keeper(spool, draft, node="node-7", boot_id="boot")
    keeper.draft(TOLD)
    keeper.store(TOLD)
    store_left(spool, draft)
    store_left(spool, draft)
    assert [event.sequence for event in spool.unsent()] == [1]


def test_a_draft_is_stored_once_however_often_agents_start(spool: Spool, draft: Draft) -> None:
    Keeper(spool, draft, node="node-7", boot_id="boot").draft(TOLD)
    store_left(spool, draft)
    store_left(spool, draft)
    assert [event.sequence for event in spool.unsent()] == [1]


def test_of_another_boot_nothing_is_taken(spool: Spool, draft: Draft, tmp_path: Path) -> None:
    Keeper(spool, draft, node="node-7", boot_id="boot").draft(TOLD)
    assert Draft(tmp_path / "run" / "spool.draft", "another").left(0) is None


def test_an_emptying_without_numbers_explains_a_position_that_is_not_known(draft: Draft) -> None:
    draft.write({"attributes": []}, follows=0, visible_from=None)
    left = draft.left(0)
    assert left is not None
    assert left.position == RingPosition("boot", None)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"boot_id": "boot", "follows": 0, "visible_from": "x", "record": {}}', b"\xff"]
)
def test_a_file_that_holds_anything_else_is_none(draft: Draft, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "spool.draft").write_bytes(content)
    assert draft.left(0) is None


def test_where_it_can_not_be_written_the_log_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run").write_text("no directory")
    draft = Draft(tmp_path / "run" / "spool.draft", "boot")
    with caplog.at_level(logging.WARNING):
        assert [draft.write({"attributes": []}, follows=0, visible_from=1) for _ in range(3)] == [False] * 3
    assert len(caplog.messages) == 1
    assert "who emptied dmesg would not be known any more" in caplog.messages[0]
