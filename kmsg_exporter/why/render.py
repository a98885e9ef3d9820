"""The answer as one screen of text, and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Final

from kmsg_exporter.collector.visible import visible
from kmsg_exporter.why import finding
from kmsg_exporter.why.finding import Finding
from kmsg_exporter.why.verdict import Answer

_TITLES: Final = {"note": "Besides", "unseen": "Could not be looked at"}
_LOWER: Final = ("rsyslog", "journald", "syslog-ng", "node-problem-detector", "dmesg")  # names stay as they are
_NOTHING: Final = "Nothing wrong was found: no clear hides a line, and no trouble in the log is missing from the files."
_PARTLY: Final = "Nothing wrong was found in what could be looked at."
_LEFT_OUT: Final = "Not all of the evidence has room here: --all shows it."


@dataclass(frozen=True, slots=True)
class Screen:
    """What may be filled. `columns` is None where lines are not folded."""

    lines: int = 50
    columns: int | None = None

    def holds(self, lines: list[str]) -> bool:
        folds = 0 if self.columns is None else sum(max(0, len(line) - 1) // self.columns for line in lines)
        return len(lines) + folds <= self.lines


@dataclass(frozen=True, slots=True)
class _Room:
    """How many findings have evidence, of how many lines; how many of them are troubles, and whether notes have it."""

    troubles: int = 3
    findings: int = 1000
    notes: bool = True
    lines: int = 8


_ALL: Final = _Room(troubles=1000, lines=1_000_000)
# the first that fits; the last is what it is
_ROOMS: Final = (_Room(), _Room(notes=False), _Room(1, notes=False, lines=5), _Room(1, 1, notes=False, lines=5))


def as_json(answer: Answer) -> str:
    document = {"exit_code": answer.exit_code, "findings": [asdict(one) for one in answer.findings]}
    return json.dumps(document, indent=2) + "\n"


def as_text(answer: Answer, screen: Screen | None) -> str:
    """On one screen; None is for all of it."""
    for room in (_ALL,) if screen is None else _ROOMS:
        shown = _cut(answer.findings, room)
        lines = list(_lines(shown, answer.looked))
        if shown != list(answer.findings):
            lines += ["", _LEFT_OUT]
        if screen is None or screen.holds(lines):
            break
    return "\n".join(lines) + "\n"


def _cut(findings: Iterable[Finding], room: _Room) -> list[Finding]:
    """What has no room is one line."""
    shown: list[Finding] = []
    troubles = given = 0
    for one in findings:
        trouble = one.rank == finding.TROUBLE and bool(one.evidence)
        fits = given < room.findings and (one.verdict == "cause" or room.notes)
        if not fits or (trouble and troubles == room.troubles):
            shown.append(replace(one, evidence=(), remedy=""))
            continue
        troubles += trouble
        given += 1
        more = len(one.evidence) - room.lines
        evidence = (*one.evidence[: room.lines - 1], f"and {more + 1} more lines") if more > 0 else one.evidence
        shown.append(replace(one, evidence=evidence))
    return shown


def _lines(findings: list[Finding], looked: bool) -> Iterator[str]:
    causes = [one for one in findings if one.verdict == "cause"]
    for number, cause in enumerate(causes, 1):
        yield from _finding(f"{number}. ", cause)
    if not causes:
        unseen = any(one.verdict == "unseen" for one in findings)
        yield "The log could not be looked at." if not looked else _PARTLY if unseen else _NOTHING
    for verdict, title in _TITLES.items():
        if notes := [one for one in findings if one.verdict == verdict]:
            yield ""
            yield f"{title}:"
            for one in notes:
                yield from _finding("- ", one)


def _finding(mark: str, one: Finding) -> Iterator[str]:
    """Hostile text is made visible: comms and lines of the log are anybody's."""
    begin = one.what[0] if one.what.startswith(_LOWER) else one.what[0].upper()
    yield visible(f"{mark}{begin}{one.what[1:]}.")
    indent = " " * len(mark)
    for line in one.evidence:
        yield visible(f"{indent}  {line}")
    if one.remedy:
        yield visible(f"{indent}  -> {one.remedy}")
