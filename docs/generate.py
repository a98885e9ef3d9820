"""Writes the tables that the pages share with the code: run it after changing an option, a metric or the coverage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final

from kmsg_exporter.collector.figures import ALL as COLLECTOR
from kmsg_exporter.collector.figures import Figure
from kmsg_exporter.config import OPTIONS, Option
from kmsg_exporter.coverage import COVERAGE
from kmsg_exporter.metrics.exposition import ALL
from kmsg_exporter.metrics.families import Definition

TOP: Final = Path(__file__).parent.parent
PAGES: Final = ("README.md", "docs/configuration.md", "docs/metrics.md")
_REGION: Final = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with what stands between `<!-- generated: NAME -->` and `<!-- end -->` made anew."""
    return _REGION.sub(lambda found: f"{found[1]}\n{_TABLES[found[2]]}\n{found[3]}", page)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _coverage() -> str:
    rows = [(row.what, row.kprobe, row.tracepoint, row.function, row.state) for row in COVERAGE]
    return _table(("", "`kprobe`", "`tracepoint`", "`function`", "`state`"), rows)


def _options() -> str:
    parts = []
    for title, members in groupby(OPTIONS, key=attrgetter("group")):
        rows = [(f"`{option.flag}`", f"`{option.kind.shown}`", _default(option), option.about) for option in members]
        parts.append(f"## {title}\n\n{_table(('flag', 'value', 'default', 'what it does'), rows)}")
    return "\n".join(parts)


def _default(option: Option) -> str:
    return "; ".join(note for note in (option.default, "repeatable" if option.repeatable else "") if note)


def _metrics(definitions: Iterable[Definition | Figure]) -> str:
    rows = [
        (f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.help) for one in definitions
    ]
    return _table(("metric", "type", "labels", "what it says"), rows)


_TABLES: Final = {
    "coverage": _coverage(),
    "options": _options(),
    "log-metrics": _metrics(one for one in ALL if not one.name.startswith("kmsg_exporter_")),
    "agent-metrics": _metrics(one for one in ALL if one.name.startswith("kmsg_exporter_")),
    "collector-metrics": _metrics(COLLECTOR),
}


if __name__ == "__main__":
    for name in PAGES:
        path = TOP / name
        path.write_text(filled(path.read_text()))
