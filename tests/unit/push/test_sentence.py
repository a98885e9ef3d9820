"""The sentence, literally."""

from __future__ import annotations

from dataclasses import replace

from kmsg_exporter.model import Actor, Emptying, Hidden, Process
from kmsg_exporter.push.sentence import sentence

ACTOR = Actor(
    pid=4242,
    tid=4242,
    comm="dmesg",
    exe="/usr/bin/dmesg",
    source="procfs",
    ancestors=(
        Process(4241, "bash", "/usr/bin/bash"),
        Process(4240, "cleanup.sh", "/usr/bin/dash"),
        Process(900, "cron", "/usr/sbin/cron"),
        Process(700, "cron", "/usr/sbin/cron"),
        Process(1, "systemd", "/usr/lib/systemd/systemd"),
    ),
    origin="cleanup.sh",
)
HIDDEN = Hidden(records=812, by_level={"err": 2, "crit": 1, "info": 809})
EMPTYING = Emptying(time_unix_ns=1_767_323_045_999_999_999, hidden=HIDDEN, action="clear", actor=ACTOR)


def test_all_is_known() -> None:
    assert sentence(EMPTYING, "node-7") == (
        "dmesg on node-7 was emptied by dmesg (/usr/bin/dmesg, pid 4242) run by cleanup.sh <- cron; "
        "812 records are hidden, 3 of them errors or worse."
    )


def test_nobody_could_be_named() -> None:
    assert sentence(replace(EMPTYING, actor=None), "node-7") == (
        "dmesg on node-7 was emptied by an unknown process; 812 records are hidden, 3 of them errors or worse."
    )


def test_the_moment_is_only_known_to_lie_between_two() -> None:
    emptying = replace(EMPTYING, actor=None, since_unix_ns=1_767_322_800_000_000_000)
    assert sentence(emptying, "node-7") == (
        "dmesg on node-7 was emptied by an unknown process between 2026-01-02T03:00:00Z and 2026-01-02T03:04:05Z; "
        "812 records are hidden, 3 of them errors or worse."
    )


def test_exe_and_ancestors_are_not_known() -> None:
    actor = Actor(pid=7, tid=7, comm="busybox", exe="", source="none")
    assert sentence(replace(EMPTYING, actor=actor), "n") == (
        "dmesg on n was emptied by busybox (pid 7); 812 records are hidden, 3 of them errors or worse."
    )


def test_only_the_origin_is_known() -> None:
    text = sentence(replace(EMPTYING, actor=replace(ACTOR, ancestors=())), "n")
    assert text.startswith("dmesg on n was emptied by dmesg (/usr/bin/dmesg, pid 4242) run by cleanup.sh; ")


def test_a_long_chain_is_cut() -> None:
    actor = replace(ACTOR, origin="", ancestors=tuple(Process(9 - n, f"p{n}", "") for n in range(6)))
    assert " run by p0 <- p1 <- p2 <- p3 <- ...; " in sentence(replace(EMPTYING, actor=actor), "n")


def test_counts_are_said_as_a_person_would() -> None:
    def said(hidden: Hidden) -> str:
        return sentence(replace(EMPTYING, actor=None, hidden=hidden), "n").partition("; ")[2]

    assert said(Hidden()) == "how many records are hidden is not known."
    assert said(Hidden(records=0)) == "no records are hidden."
    assert said(Hidden(records=1)) == "1 record is hidden."
    assert said(Hidden(records=1, by_level={"info": 1})) == "1 record is hidden, not an error."
    assert said(Hidden(records=1, by_level={"err": 1})) == "1 record is hidden, an error or worse."
    assert said(Hidden(records=5)) == "5 records are hidden."
    assert said(Hidden(records=5, by_level={"info": 5})) == "5 records are hidden, none of them an error or worse."
    assert said(Hidden(records=5, by_level={"err": 1, "info": 4})) == (
        "5 records are hidden, 1 of them an error or worse."
    )


def test_an_event_that_stands_for_several_says_so() -> None:
    assert sentence(replace(EMPTYING, actor=None, coalesced=5), "n").endswith(" This event stands for 5 emptyings.")
