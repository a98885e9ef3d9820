"""Figures beside what they are to stay within: measured and printed, not asserted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Figures:
    """Rows of a table, in the order in which they were measured."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, what: str, measured: str, bound: str = "") -> None:
        self.rows.append((what, measured, bound))

    def table(self) -> list[str]:
        """As Markdown."""
        return ["| what | measured | is to be |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in self.rows)]
