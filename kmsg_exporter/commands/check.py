"""One finding of doctor's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "missing", "note"]


@dataclass(frozen=True, slots=True)
class Check:
    """`remedy` says what to do, "" when there is nothing to do."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""
