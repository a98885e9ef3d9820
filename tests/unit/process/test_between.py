"""Who made calls that were only counted: one who was the same all the time, or nobody."""

from __future__ import annotations

import pytest
from fake_past import Past
from fake_proc import SECOND, FakeProc
from fake_tracefs import page

from kmsg_exporter.process.actor import Resolver

SINCE, UNTIL = 10 * SECOND, 11 * SECOND
SHELL, READER = 7, 42


@pytest.fixture(autouse=True)
def _shell(proc: FakeProc) -> None:
    proc.add(SHELL, comm="bash", exe="/usr/bin/bash")
    for program in ("bash", "cat", "tail"):
        proc.file(f"/usr/bin/{program}")


def name(resolver: Resolver, comm: bytes = b"cat") -> tuple[str, str]:
    return resolver.name_between(READER, SINCE, UNTIL, comm)


def who(resolver: Resolver) -> tuple[str, str] | None:
    actor = resolver.actor_between(READER, SINCE, UNTIL)
    return None if actor is None else (actor.comm, actor.exe)


def test_living_reader_is_told_by_proc(proc: FakeProc, resolver: Resolver) -> None:
    proc.add(READER, comm="cat", exe="/usr/bin/cat", parent=SHELL)
    assert name(resolver) == ("cat", "/usr/bin/cat")
    assert who(resolver) == ("cat", "/usr/bin/cat")


def test_reader_that_stays_is_looked_up_once(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    proc.add(READER, comm="cat", exe="/usr/bin/cat", parent=SHELL)
    name(resolver)
    past.fake.put("recorder", 0, page(UNTIL, lost=1))
    assert name(resolver) == ("cat", "/usr/bin/cat")
    assert resolver.attributions == {"procfs": 1, "cache": 1}


def test_reader_that_came_and_went_is_told_by_what_was_recorded(past: Past, resolver: Resolver) -> None:
    past.fork(SINCE + 100, parent=SHELL, child=READER)
    past.exec(SINCE + 200, READER, b"/usr/bin/cat")
    assert name(resolver) == ("cat", "/usr/bin/cat")


def test_each_of_two_names_has_its_own_executable(past: Past, resolver: Resolver) -> None:
    past.fork(SINCE + 100, parent=SHELL, child=READER)
    past.exec(SINCE + 200, READER, b"/usr/bin/cat")
    past.exec(SINCE + 300, READER, b"/usr/bin/tail")
    assert name(resolver, b"cat") == ("cat", "/usr/bin/cat")
    assert name(resolver, b"tail") == ("tail", "/usr/bin/tail")
    assert who(resolver) is None


def test_fork_that_ran_nothing_has_its_parents_executable(past: Past, resolver: Resolver) -> None:
    past.fork(SINCE + 100, parent=SHELL, child=READER)
    assert name(resolver, b"bash") == ("bash", "/usr/bin/bash")


def test_two_executables_of_one_name_are_neither(past: Past, proc: FakeProc, resolver: Resolver) -> None:
    proc.file("/opt/cat")
    past.fork(SINCE + 100, parent=SHELL, child=READER)
    past.exec(SINCE + 200, READER, b"/usr/bin/cat")
    past.exec(SINCE + 300, READER, b"/opt/cat")
    assert name(resolver) == ("cat", "")
    assert who(resolver) is None


def test_id_that_was_given_again_is_two(past: Past, proc: FakeProc, resolver: Resolver) -> None:
    proc.file("/opt/cat")
    for when, program in ((SINCE + 100, b"/usr/bin/cat"), (SINCE + 500, b"/opt/cat")):
        past.fork(when, parent=SHELL, child=READER)
        past.exec(when + 100, READER, program)
    assert name(resolver) == ("cat", "")


def test_name_that_nobody_had_has_no_executable(past: Past, resolver: Resolver) -> None:
    past.fork(SINCE + 100, parent=SHELL, child=READER)
    past.exec(SINCE + 200, READER, b"/usr/bin/cat")
    assert name(resolver, b"innocent") == ("innocent", "")


def test_gap_in_what_was_recorded_names_nobody(past: Past, proc: FakeProc, resolver: Resolver) -> None:
    proc.add(READER, comm="cat", exe="/usr/bin/cat", parent=SHELL)
    past.fake.put("recorder", 0, page(SINCE + 100, lost=1))
    assert name(resolver) == ("cat", "")
    assert who(resolver) is None


def test_very_many_names_are_nobodys(past: Past, proc: FakeProc, resolver: Resolver) -> None:
    proc.add(READER, comm="cat", exe="/usr/bin/cat", parent=SHELL)
    for number in range(100):
        past.rename(SINCE + 100 + number, READER, b"%d" % number)
    assert who(resolver) is None
