"""The table in README.md is the one that the tests hold."""

from __future__ import annotations

import table
from ways import WAYS


def test_the_page_shows_what_the_tests_expect() -> None:
    assert table.shown(table.README.read_text()) == table.expected()


def test_each_way_has_a_key_and_a_title_of_its_own() -> None:
    assert len({way.key for way in WAYS}) == len({way.title for way in WAYS}) == len(WAYS)
    assert max(len(way.key) for way in WAYS) <= 15  # it is a comm
