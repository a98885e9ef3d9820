"""The table of ways as tests/evasions/README.md shows it; `table.py FOLDER` writes it of what was seen there."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

README: Final = Path(__file__).with_name("README.md")
sys.path[:0] = [str(README.parent), str(README.parents[1] / "kernel")]

from ways import COLUMNS, WAYS, Column, Way  # noqa: E402

_REGION: Final = re.compile(r"(?<=<!-- table -->\n).*(?=<!-- end -->)", re.DOTALL)


def rendered(cell: Callable[[Way, Column], str]) -> str:
    rows = [["", *(column.title for column in COLUMNS)], ["---"] * (1 + len(COLUMNS))]
    rows += [[way.title, *(cell(way, column) for column in COLUMNS)] for way in WAYS]
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"


def expected() -> str:
    return rendered(lambda way, column: way.expected(column))


def shown(text: str) -> str:
    """What stands in the page now."""
    (found,) = _REGION.findall(text)
    return str(found)


def main(folder: Path) -> None:
    seen = {column: json.loads((folder / f"{column.name}.json").read_text()) for column in COLUMNS}
    table = rendered(lambda way, column: seen[column].get(way.key, way.expected(column)))
    print(table.strip())
    README.write_text(_REGION.sub(lambda _: table, README.read_text()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
