"""Which actors an ExpectedRule fits."""

from __future__ import annotations

import pytest

from kmsg_exporter.expected import ExpectedRule
from kmsg_exporter.model import Actor, Process

CLEANUP = Actor(
    pid=4242,
    tid=4242,
    comm="dmesg",
    exe="/usr/bin/dmesg",
    source="procfs",
    origin="cleanup.sh",
    ancestors=(Process(4200, "cleanup.sh", "/usr/bin/bash"), Process(700, "cron", "/usr/sbin/cron")),
)
UNKNOWN = Actor(pid=7, tid=7, comm="dmesg", exe="", source="none")


@pytest.mark.parametrize(
    "text",
    [
        "comm=dmesg",
        "comm=dm*g",
        "exe=/usr/*",
        "exe=/usr/bin/[ds]mesg",
        "origin=cleanup.??",
        "ancestor=cron",
        "ancestor=/usr/sbin/*",
        "comm=dmesg,origin=cleanup.sh,ancestor=cron",
        " comm = dmesg , ancestor = cron ",
        "ancestor=cron,ancestor=cleanup.*",
    ],
)
def test_rule_fits_when_all_its_terms_fit(text: str) -> None:
    assert ExpectedRule.parse(text).matches(CLEANUP)


@pytest.mark.parametrize(
    "text",
    [
        "comm=mesg",
        "comm=DMESG",
        "exe=dmesg",
        "origin=cron",
        "ancestor=sshd",
        "comm=dmesg,origin=other.sh",
        "ancestor=cron,ancestor=sshd",
    ],
)
def test_rule_does_not_fit_when_one_term_does_not(text: str) -> None:
    assert not ExpectedRule.parse(text).matches(CLEANUP)


@pytest.mark.parametrize("text", ["exe=*", "origin=*", "ancestor=*"])
def test_what_is_not_known_fits_no_glob(text: str) -> None:
    assert not ExpectedRule.parse(text).matches(UNKNOWN)


def test_a_comm_that_looks_like_a_path_is_not_taken_for_an_exe() -> None:
    liar = Actor(
        pid=9,
        tid=9,
        comm="dmesg",
        exe="/usr/bin/dmesg",
        source="procfs",
        ancestors=(Process(8, "/usr/sbin/cron", "/tmp/x"),),
    )
    assert not ExpectedRule.parse("ancestor=/usr/sbin/cron").matches(liar)


@pytest.mark.parametrize("text", ["", "dmesg", "comm=", "=dmesg", "command=dmesg", "comm=dmesg,"])
def test_a_rule_of_another_shape_is_refused_with_the_shape_that_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="must be terms like comm=GLOB, exe=GLOB, origin=GLOB, ancestor=GLOB"):
        ExpectedRule.parse(text)


def test_a_rule_prints_as_it_was_written() -> None:
    assert str(ExpectedRule.parse("comm=dmesg, origin=ci-*")) == "comm=dmesg,origin=ci-*"
