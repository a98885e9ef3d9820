"""Hostile and wide text in cells: wcwidth, which knows what terminals do, says the same of it."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wcwidth import wcswidth

from kmsg_exporter.watching.cells import cut, fit, shown, width, wrap

# any text, and much of what is wide, joins, turns round or is obeyed
TEXTS = st.text() | st.text(
    st.sampled_from("a \x1b\x9b\r\n\t\u4e16\uff21\u0301\u200d\ufe0f\u202e\u1160\U0001f4a3\udcff")
)


def test_each_character_that_there_is_has_the_width_that_terminals_give_it() -> None:
    there_are = map(chr, (*range(0x20000), *range(0x20000, sys.maxunicode, 251)))
    assert [f"{ord(one):x}" for one in there_are if width(shown(one)) != wcswidth(shown(one))] == []


@given(text=TEXTS)
def test_nothing_shown_is_obeyed_and_each_character_has_a_width(text: str) -> None:
    assert shown(text).isprintable()
    assert width(shown(text)) == wcswidth(shown(text))


@given(text=TEXTS, columns=st.integers(1, 40))
def test_a_cell_is_exactly_as_wide_as_asked(text: str, columns: int) -> None:
    assert wcswidth(fit(text, columns)) == columns
    assert wcswidth(fit(text, columns, right=True)) == columns
    assert wcswidth(cut(text, columns)) <= columns


@given(text=TEXTS, columns=st.integers(20, 60), indent=st.integers(0, 10))
def test_no_wrapped_line_is_too_wide_and_no_character_is_lost(text: str, columns: int, indent: int) -> None:
    lines = wrap(text, columns, indent=indent)
    assert all(wcswidth(line) <= columns for line in lines)
    assert "".join(lines).replace(" ", "") == shown(text).replace(" ", "")


@pytest.mark.parametrize(
    ("text", "columns", "cell"),
    [
        ("dmesg", 8, "dmesg   "),
        ("systemd-journald", 8, "systemd\u2026"),
        ("\u4e16\u754c\u4e16", 5, "\u4e16\u754c\u2026"),
        ("\u4e16\u754c\u4e16", 4, "\u4e16\u2026 "),
        ("\x1b[31m", 8, "\\x1b[31m"),
        ("e\u0301", 8, "e\\u0301 "),
        ("", 2, "  "),
    ],
)
def test_a_cell_is_cut_or_padded(text: str, columns: int, cell: str) -> None:
    assert fit(text, columns) == cell


def test_a_long_line_is_broken_at_a_space_and_goes_on_indented() -> None:
    assert wrap("one two three four", 10, indent=2) == ["one two", "  three", "  four"]
    assert wrap("x" * 25, 10, indent=2) == ["x" * 10, "  xxxxxxxx", "  xxxxxxx"]


def test_a_line_that_has_no_room_is_broken_all_the_same() -> None:
    assert wrap("abc", -1, indent=1) == ["abc"]
    assert wrap("abcd", 0, indent=1) == ["abc", " d"]
