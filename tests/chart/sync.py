#!/usr/bin/env python3
"""Make what is derived: the chart's copies, its README's table, the plain manifests. With --check only look."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import manifests
import values_table
from charts import CHART, ROOT, Helm

KUBERNETES = ROOT / "deploy" / "kubernetes"
RULES = CHART / "files" / "rules"
DASHBOARDS = CHART / "files" / "dashboards"
BEGIN = "<!-- generated: values -->"
END = "<!-- end -->"


def copied() -> dict[Path, str]:
    """A chart can't read outside itself: its copies of the rules and dashboards."""
    rules = sorted((ROOT / "deploy" / "prometheus").glob("*.rules.yaml"))
    dashboards = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
    copies = {RULES / path.name: path.read_text() for path in rules}
    return copies | {DASHBOARDS / path.name: path.read_text() for path in dashboards}


def readme() -> dict[Path, str]:
    """The chart's README with its table as values.yaml has it."""
    path = CHART / "README.md"
    made = f"{BEGIN}\n\n{values_table.table((CHART / 'values.yaml').read_text())}\n\n{END}"
    return {path: re.sub(f"{BEGIN}.*?{END}", lambda _: made, path.read_text(), flags=re.DOTALL)}


def rendered() -> dict[Path, str]:
    """The plain manifests; they need the chart's copies to be there."""
    return {KUBERNETES / path: text for path, text in manifests.manifests(Helm()).items()}


def differing(made: dict[Path, str]) -> list[Path]:
    """What is missing or has another text."""
    return [path for path, text in made.items() if not path.exists() or path.read_text() != text]


def write(made: dict[Path, str]) -> None:
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main(*, check: bool) -> int:
    copies = copied()
    drifted = sorted({*RULES.glob("*"), *DASHBOARDS.glob("*")} - set(copies))  # their original is gone
    if not check:
        for path in drifted:
            path.unlink()
    makers: list[Callable[[], dict[Path, str]]] = [lambda: copies, readme, rendered]
    for make in makers:  # in this order: the manifests are rendered with the copies
        made = make()
        drifted += differing(made)
        if not check:
            write(made)
    for path in drifted:
        print(f"{'is not what it is made from' if check else 'made anew'}: {path.relative_to(ROOT)}")
    if check and drifted:
        print("make it anew: .venv/bin/python tests/chart/sync.py")
    return 1 if check and drifted else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
