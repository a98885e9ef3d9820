"""Figures beside what they are to stay within: measured and printed, not asserted; run, it fills the README."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

BEGIN = "<!-- begin of what `make storms` writes -->"
END = "<!-- end of what `make storms` writes -->"


@dataclass
class Figures:
    """Rows of a table, in the order in which they were measured."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, what: str, measured: str, bound: str = "") -> None:
        self.rows.append((what, measured, bound))

    def table(self) -> list[str]:
        """As Markdown."""
        return ["| what | measured | is to be |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in self.rows)]


def tables(output: str) -> str:
    """What a run printed that belongs into the README: on which kernel, and its table."""
    lines = [line for line in output.replace("\r", "").splitlines() if line.startswith(("# kernel ", "| ", "|---"))]
    return "\n".join(f"{line.removeprefix('# ').capitalize()}:\n" if line.startswith("# ") else line for line in lines)


def main(readme: Path, outputs: Sequence[Path]) -> None:
    text = readme.read_text()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    assert begin, f"{readme} has no {BEGIN}"
    assert end, f"{readme} has no {END}"
    body = "\n\n".join(tables(output.read_text(errors="replace")) for output in outputs)
    readme.write_text(f"{head}{BEGIN}\n\n{body}\n\n{END}{tail}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
