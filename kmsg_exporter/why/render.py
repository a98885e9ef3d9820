"""The answer as one screen of text, and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from kmsg_exporter.collector.visible import visible
from kmsg_exporter.why.finding import Finding
from kmsg_exporter.why.verdict import Answer

_TITLES: Final = {"note": "Besides", "unseen": "Could not be looked at"}
_LOWER: Final = ("rsyslog", "journald", "syslog-ng", "node-problem-detector", "dmesg")  # names stay as they are
_NOTHING: Final = "Nothing wrong was found: no clear hides a line, and no trouble in the log is missing from the files."


def as_json(answer: Answer) -> str:
    document = {"exit_code": answer.exit_code, "findings": [asdict(one) for one in answer.findings]}
    return json.dumps(document, indent=2) + "\n"


def as_text(answer: Answer) -> str:
    return "\n".join(_lines(answer)) + "\n"


def _lines(answer: Answer) -> Iterator[str]:
    causes = [one for one in answer.findings if one.verdict == "cause"]
    for number, cause in enumerate(causes, 1):
        yield from _finding(f"{number}. ", cause)
    if not causes:
        yield _NOTHING if answer.looked else "The log could not be looked at."
    for verdict, title in _TITLES.items():
        if rest := [one for one in answer.findings if one.verdict == verdict]:
            yield ""
            yield f"{title}:"
            yield from _all("- ", rest)


def _all(mark: str, findings: Sequence[Finding]) -> Iterator[str]:
    for one in findings:
        yield from _finding(mark, one)


def _finding(mark: str, one: Finding) -> Iterator[str]:
    """Hostile text is made visible: comms and lines of the log are anybody's."""
    begin = one.what[0] if one.what.startswith(_LOWER) else one.what[0].upper()
    yield visible(f"{mark}{begin}{one.what[1:]}.")
    indent = " " * len(mark)
    for line in one.evidence:
        yield visible(f"{indent}  {line}")
    if one.remedy:
        yield visible(f"{indent}  -> {one.remedy}")
