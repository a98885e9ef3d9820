"""The page shows what the tests hold."""

from __future__ import annotations

import fault_table
from fault_cases import CASES


def test_the_page_shows_the_rows_that_are_tested() -> None:
    assert fault_table.shown(fault_table.PAGE.read_text()) == fault_table.table()


def test_each_row_is_another_case() -> None:
    assert len({case.does for case in CASES}) == len(CASES)
