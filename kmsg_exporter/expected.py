"""Clears that the operator has declared as known: one rule, and whether an actor fits it."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kmsg_exporter.model import Actor

KEYS: Final = ("comm", "exe", "origin", "ancestor")
ALLOWED: Final = (
    "must be terms like comm=GLOB, exe=GLOB, origin=GLOB, ancestor=GLOB, joined by commas (? stands for a comma)"
)


@dataclass(frozen=True, slots=True)
class ExpectedRule:
    """Terms that must all fit: (key, glob), the key one of KEYS.

    In a glob `*` matches any text, slashes too. What is not known ("") fits no glob.
    A process chooses its own comm, so a rule that must hold against malice names an exe or an ancestor's exe.
    """

    terms: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str) -> ExpectedRule:
        """`comm=dmesg,origin=ci-*`. Raises ValueError with what is allowed."""
        terms = []
        for term in text.split(","):
            key, separator, glob = (part.strip() for part in term.partition("="))
            if key not in KEYS or not separator or not glob:
                raise ValueError(ALLOWED)
            terms.append((key, glob))
        return cls(tuple(terms))

    def __str__(self) -> str:
        return ",".join(f"{key}={glob}" for key, glob in self.terms)

    def matches(self, actor: Actor) -> bool:
        """Whether every term fits this actor."""
        return all(_fits(actor, key, glob) for key, glob in self.terms)


def _fits(actor: Actor, key: str, glob: str) -> bool:
    if key == "ancestor":
        # A comm may hold a slash and say it is a path: a glob with a slash is held against the exe alone.
        values = [process.exe if "/" in glob else process.comm for process in actor.ancestors]
    else:
        values = [{"comm": actor.comm, "exe": actor.exe, "origin": actor.origin}[key]]
    return any(value != "" and fnmatchcase(value, glob) for value in values)
