"""The answer fits the screen, whatever was found: what is most likely keeps its evidence longest."""

from __future__ import annotations

import pytest

from kmsg_exporter.why import finding
from kmsg_exporter.why.finding import Finding
from kmsg_exporter.why.render import Screen, as_text
from kmsg_exporter.why.verdict import Answer

EVIDENCE = tuple(f"line {number}" for number in range(12))
FOUND = Answer(
    (
        Finding("cause", finding.HIDDEN, "a clear hides it", EVIDENCE[:3], "recover"),
        *(Finding("cause", finding.TROUBLE, f"kill {number}", EVIDENCE, "keep it") for number in range(5)),
        Finding("note", finding.DAEMON, "rsyslog writes", EVIDENCE[:2]),
        Finding("unseen", finding.TROUBLE, "not looked through: x", (), "run it as root"),
    ),
    looked=True,
)


@pytest.mark.parametrize(
    ("lines", "printed"),
    [
        (1000, [3, 8, 8, 8, 0, 0, 2]),
        (47, [3, 8, 8, 8, 0, 0, 0]),
        (43, [3, 5, 0, 0, 0, 0, 0]),
        (21, [3, 0, 0, 0, 0, 0, 0]),
        (1, [3, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_of_what_has_no_room_the_evidence_is_left_out(lines: int, printed: list[int]) -> None:
    text = as_text(FOUND, Screen(lines))
    evidence: list[int] = []
    for line in text.splitlines():
        if line.startswith(("- ", *(f"{number}. " for number in range(1, 7)))):
            evidence.append(0)
        elif line.strip().startswith(("line ", "and ")):
            evidence[-1] += 1
    assert evidence[:7] == printed
    assert len(text.splitlines()) <= max(lines, 20)
    assert text.endswith("\n\nNot all of the evidence has room here: --all shows it.\n")


def test_long_evidence_says_how_much_more_there_is() -> None:
    assert "     line 6\n     and 5 more lines\n     -> keep it\n" in as_text(FOUND, Screen(1000))


def test_lines_that_the_terminal_folds_count() -> None:
    one = Answer((Finding("note", finding.DAEMON, "a note", ("x" * 100,)),), looked=True)
    assert "x" * 100 in as_text(one, Screen(6))
    assert "x" * 100 not in as_text(one, Screen(6, 40))


def test_all_of_it_can_be_had() -> None:
    text = as_text(FOUND, None)
    assert text.count("line 11") == 5
    assert "--all" not in text
