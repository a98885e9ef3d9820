"""Tables, and goals as rows of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached: `measured` is at most `most`. `instead` says what the time is where it was not."""

    what: str
    measured: float
    most: float
    text: str = "{:.2f}"
    instead: str = ""

    @property
    def reached(self) -> bool:
        return self.measured <= self.most

    def row(self) -> tuple[str, ...]:
        said = "reached" if self.reached else "**not reached**"
        return self.what, self.text.format(self.measured), "<= " + self.text.format(self.most), said


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of one."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
