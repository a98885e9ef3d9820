"""What an agent had taken from the kernel and not kept is known after it was killed, within the same boot."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmsg_exporter.agent.inhand import InHand, Left


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "in-hand"


def test_a_first_life_finds_nothing(path: Path) -> None:
    assert InHand(path, "boot").left == Left(unkept=False, recorded_ns=0)


def test_what_was_seen_and_not_kept_is_known_to_the_next_life(path: Path) -> None:
    first = InHand(path, "boot")
    assert (first.see(), first.see()) == (1, 2)
    first.keep(1)
    assert InHand(path, "boot").left.unkept
    first.keep(2)
    assert not InHand(path, "boot").left.unkept


def test_what_is_kept_later_than_what_came_after_it_takes_nothing_back(path: Path) -> None:
    hand = InHand(path, "boot")
    hand.see(), hand.see()
    hand.keep(2)
    hand.keep(1)
    assert not InHand(path, "boot").left.unkept


def test_a_doubt_lasts_until_all_is_kept_and_no_longer(path: Path) -> None:
    InHand(path, "boot").see()
    InHand(path, "boot").record(7)
    second = InHand(path, "boot")
    assert second.left == Left(unkept=True, recorded_ns=7)
    second.keep_all()
    assert InHand(path, "boot").left == Left(unkept=False, recorded_ns=7)


def test_an_emptying_that_is_told_in_the_next_life_ends_the_doubt(path: Path) -> None:
    InHand(path, "boot").see()
    second = InHand(path, "boot")
    second.keep(second.see())
    assert not InHand(path, "boot").left.unkept


def test_another_boot_begins_afresh(path: Path) -> None:
    InHand(path, "a-long-name-of-a-boot").see()
    assert InHand(path, "boot").left == Left()
    InHand(path, "boot").record(5)
    assert InHand(path, "a-long-name-of-a-boot").left == Left()


@pytest.mark.parametrize("content", [b"", b"{}", b'["boot", 1]', b'["boot", 1, "x", 3]', b"[[[", b"\xff" * 200])
def test_a_file_that_holds_anything_else_is_none(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    hand = InHand(path, "boot")
    assert hand.left == Left()
    hand.see()
    assert InHand(path, "boot").left.unkept


def test_where_the_file_can_not_be_made_it_counts_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no directory")
    hand = InHand(tmp_path / "run" / "in-hand", "boot")
    assert hand.see() == 1
    hand.keep_all()
    hand.close()
    hand.close()
