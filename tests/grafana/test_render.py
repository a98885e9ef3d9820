"""Each dashboard's panels, drawn from a real Prometheus' answers: what a person would read there."""

from __future__ import annotations

import re
from typing import Any

import pytest
from board_file import BOARDS, View, chosen, panels
from conftest import Fleet
from render import page, rows_of
from values import formatted

Json = dict[str, Any]


def view(fleet: Fleet, name: str, **values: str) -> View:
    return View(fleet.server, fleet.look, chosen(BOARDS[name], fleet.server, fleet.look)).on(**values)


def table(name: str, title: str, view: View) -> list[Json]:
    panel = next(panel for panel in panels(BOARDS[name]) if panel["title"] == title)
    headings, rows = rows_of(panel, view)
    return [dict(zip(headings, row, strict=True)) for row in rows]


@pytest.mark.parametrize(("name", "node"), [("kmsg-fleet", ".*"), ("kmsg-node", "tracing"), ("kmsg-node", "recorded")])
def test_every_panel_is_drawn_and_none_shows_what_is_no_number(fleet: Fleet, name: str, node: str) -> None:
    drawn = page(BOARDS[name], view(fleet, name, node=node))
    assert drawn.count("<section") == sum(panel["type"] != "row" for panel in BOARDS[name]["panels"])
    assert not re.search(r">[^<]*\b(NaN|None|undefined|inf)\b", drawn)


def test_who_clears_names_script_program_and_executable(fleet: Fleet) -> None:
    rows = table("kmsg-fleet", "Who clears", view(fleet, "kmsg-fleet"))
    who = {(row["Script"], row["Program"], row["Executable"], row["Expected"], row["Nodes"]) for row in rows}
    assert who == {
        ("cleanup.sh", "dmesg", "/usr/bin/dmesg", "false", 2.0),
        ("nightly-ci.sh", "dmesg", "/usr/bin/dmesg", "true", 2.0),
    }
    assert all(fleet.look.start <= row["First"] / 1000 <= row["Last"] / 1000 <= fleet.look.end for row in rows)


def test_where_names_the_nodes_that_went_empty(fleet: Fleet) -> None:
    rows = table("kmsg-fleet", "Where", view(fleet, "kmsg-fleet"))
    assert {row["Node"] for row in rows} == {"tracing", "blind", "recorded"}
    assert all(set(row) == {"Node", "Went empty", "Last emptied", "Hidden records", "Empty now"} for row in rows)


def test_competing_readers_are_the_two_on_the_recorded_node(fleet: Fleet) -> None:
    assert table("kmsg-fleet", "Competing readers", view(fleet, "kmsg-fleet")) == [
        {"Node": "recorded", "Program": "tail", "Executable": "/usr/bin/tail", "Interface": "proc_kmsg", "Readers": 2.0}
    ]


def test_blind_nodes_say_why(fleet: Fleet) -> None:
    assert table("kmsg-fleet", "Blind nodes", view(fleet, "kmsg-fleet")) == [
        {"Node": "down", "Why": "Prometheus can't scrape it"},
        {"Node": "blind", "Why": "nothing is traced: clears are seen, not by whom"},
    ]


def test_an_empty_table_says_what_that_means(fleet: Fleet) -> None:
    drawn = page(BOARDS["kmsg-fleet"], view(fleet, "kmsg-fleet", node="no-such-node"))
    for text in (
        "Nobody cleared a log in this time range",
        "No log went empty in this time range",
        "No node has two readers that compete",
        "Every node is watched",
    ):
        assert f'<div class="none">{text}</div>' in drawn


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "shown"),
    [
        (0, "locale", 0, "0"),
        (1.4, "locale", 0, "1"),
        (12345, "locale", 0, "12,345"),
        (131072, "bytes", None, "128 KiB"),
        (0.0023, "percentunit", None, "0.23%"),
        (2500, "Bps", None, "2.5 kB/s"),
        (0.25, "cps", None, "0.25 c/s"),
        (1000, "dateTimeFromNow", None, "2 hours ago"),
    ],
)
def test_values_are_shown_in_their_units(value: float, unit: str, decimals: int | None, shown: str) -> None:
    assert formatted(value, unit, decimals, now=7201) == shown
