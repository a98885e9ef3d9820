"""The table of faults: `fault_table.py` prints it, `fault_table.py --write` puts it into README.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from fault_cases import CASES, Case

PAGE: Final = Path(__file__).parents[2] / "README.md"
_REGION: Final = re.compile(r"(?<=<!-- faults -->\n).*?(?=<!-- end -->)", re.DOTALL)
_HEAD: Final = ("the collector, or the way to it", "reason", "is tried again", "the events", "the log, once")


def table() -> str:
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_row, CASES)]
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"


def shown(text: str) -> str:
    """What stands in the page now."""
    (found,) = _REGION.findall(text)
    return str(found)


def _row(case: Case) -> tuple[str, ...]:
    reason = f"`{case.reason}`" if case.reason else "-"
    return case.does, reason, case.again.words, case.events, case.log.format(url="ADDRESS")


if __name__ == "__main__":
    print(table().strip())
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(_REGION.sub(lambda _: table(), PAGE.read_text()))
