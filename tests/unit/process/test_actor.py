"""Who it was: the living by /proc, the dead by what was recorded, and nobody where neither is to be trusted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_past import Past
from fake_proc import SECOND, FakeProc
from fake_tracefs import page

from kmsg_exporter.model import Process
from kmsg_exporter.process import procfs
from kmsg_exporter.process.actor import Resolver
from kmsg_exporter.process.recorder import RENAME

ID = "4ca3b1f5d0e7a9c24ca3b1f5d0e7a9c24ca3b1f5d0e7a9c24ca3b1f5d0e7a9c2"
UID = "6b0b6d8e-5ac9-4bd5-8b4f-2f0a4e2c9d11"
CALL = 10 * SECOND
SHELL, SCRIPT, CALLER = 7, 40, 42


@pytest.fixture(autouse=True)
def _shell(proc: FakeProc) -> None:
    """A living shell that a caller's story begins with."""
    proc.add(SHELL, comm="bash", exe="/usr/bin/bash")
    proc.file("/usr/bin/bash")
    proc.file("/usr/bin/dmesg")


def named(resolver: Resolver, tid: int = CALLER, time_ns: int = CALL, comm: bytes | None = b"dmesg") -> tuple[str, str]:
    """(source, exe), with a tilde before an exe that was worked out."""
    resolver.refresh()
    actor = resolver.actor(tid, time_ns, comm)
    return actor.source, f"{'~' * actor.derived}{actor.exe}"


def ran(past: Past, filename: bytes, *, parent: int = SHELL) -> None:
    """The caller was forked by `parent`, ran this, and is dead."""
    past.fork(CALL - 200, parent=parent, child=CALLER)
    past.exec(CALL - 100, CALLER, filename)


# --- the living ------------------------------------------------------------------------------------------------------


def test_living_caller_is_told_by_proc(proc: FakeProc, resolver: Resolver) -> None:
    proc.add(CALLER, comm="dmesg", exe="/usr/bin/dmesg", parent=SHELL, uid=1000, args=b"dmesg\0-w\0")
    resolver.refresh()
    actor = resolver.actor(CALLER, CALL, b"dmesg")
    assert (actor.pid, actor.tid, actor.comm, actor.exe, actor.source) == (
        CALLER,
        CALLER,
        "dmesg",
        "/usr/bin/dmesg",
        "procfs",
    )
    assert (actor.user_id, actor.parent_pid, actor.derived, actor.command_args) == (1000, SHELL, False, None)
    assert actor.ancestors == (
        Process(SHELL, "bash", "/usr/bin/bash"),
        Process(1, "systemd", "/usr/lib/systemd/systemd"),
    )
    assert actor.origin == "systemd"


def test_living_thread_is_part_of_its_process(proc: FakeProc, resolver: Resolver) -> None:
    proc.add(90, comm="java", exe="/usr/bin/java", parent=SHELL)
    proc.add(CALLER, pid=90, comm="worker-1", exe="/usr/bin/java", parent=SHELL)
    actor = resolver.actor(CALLER, CALL, b"worker-1")
    assert (actor.pid, actor.tid, actor.comm, actor.exe) == (90, CALLER, "worker-1", "/usr/bin/java")


def test_arguments_are_told_when_asked_for(proc: FakeProc, past: Past) -> None:
    proc.add(CALLER, comm="dmesg", exe="/usr/bin/dmesg", args=b"dmesg\0-w\0")
    resolver = Resolver(past.recorder, proc=proc.folder, command_args=True)
    assert resolver.actor(CALLER, CALL, b"dmesg").command_args == ("dmesg", "-w")


def test_exec_later_than_the_call_is_not_what_called(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 200, parent=SHELL, child=CALLER)
    past.exec(CALL - 100, CALLER, b"/usr/bin/dmesg")
    past.exec(CALL + 100, CALLER, b"/usr/bin/sleep")
    proc.add(CALLER, comm="sleep", exe="/usr/bin/sleep", parent=SHELL)
    assert named(resolver) == ("exec_trace", "/usr/bin/dmesg")


def test_first_exec_later_than_the_call_leaves_the_parents_executable(
    proc: FakeProc, past: Past, resolver: Resolver
) -> None:
    past.fork(CALL - 200, parent=SHELL, child=CALLER)
    past.exec(CALL + 100, CALLER, b"/usr/bin/sleep")
    proc.add(CALLER, comm="sleep", exe="/usr/bin/sleep", parent=SHELL)
    assert named(resolver, comm=None) == ("fork_trace", "/usr/bin/bash")
    assert resolver.actor(CALLER, CALL, None).comm == "bash"


def test_id_that_somebody_born_later_has_is_not_the_callers(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    ran(past, b"/usr/bin/dmesg")
    proc.add(CALLER, comm="innocent", exe="/usr/bin/innocent", start_ns=CALL + SECOND)
    assert named(resolver) == ("exec_trace", "/usr/bin/dmesg")
    assert named(resolver, time_ns=CALL + 2 * SECOND, comm=b"innocent") == ("procfs", "/usr/bin/innocent")


def test_id_that_was_given_again_at_once_is_not_the_callers(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    ran(past, b"/usr/bin/dmesg")
    past.fork(CALL + 1000, parent=SHELL, child=CALLER, comm=b"innocent")
    proc.add(CALLER, comm="innocent", exe="/usr/bin/innocent", uid=1000, start_ns=CALL)
    assert named(resolver) == ("exec_trace", "/usr/bin/dmesg")
    assert resolver.actor(CALLER, CALL, b"dmesg").user_id is None


@pytest.mark.parametrize("way", ["actor", "name"])
def test_exec_while_proc_is_read_is_not_what_called(
    proc: FakeProc, past: Past, resolver: Resolver, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    ran(past, b"/usr/bin/dmesg")
    proc.add(CALLER, comm="dmesg", exe="/usr/bin/sleep", parent=SHELL)
    read = procfs.read_living

    def read_late(tid: int, *, proc: Path) -> procfs.Living | None:
        if tid == CALLER:
            past.exec(CALL + 100, CALLER, b"/usr/bin/sleep")
        return read(tid, proc=proc)

    monkeypatch.setattr(procfs, "read_living", read_late)
    resolver.refresh()
    if way == "name":
        assert resolver.name(CALLER, CALL, b"dmesg") == ("dmesg", "/usr/bin/dmesg")
    else:
        assert resolver.actor(CALLER, CALL, b"dmesg").exe == "/usr/bin/dmesg"


@pytest.mark.parametrize("comm", [b"daemon", None])
def test_living_caller_is_unknown_where_records_since_the_call_are_missing(
    proc: FakeProc, past: Past, resolver: Resolver, comm: bytes | None
) -> None:
    proc.add(CALLER, comm="daemon", exe="/usr/bin/daemon")
    past.fake.put("recorder", 0, page(CALL + 100, lost=1))
    assert named(resolver, comm=comm) == ("none", "")
    assert named(resolver, time_ns=CALL + 100, comm=comm) == ("procfs", "/usr/bin/daemon")


def test_living_caller_has_the_name_of_then(past: Past, proc: FakeProc, resolver: Resolver) -> None:
    proc.add(CALLER, comm="now", exe="/usr/bin/daemon")
    past.fake.emit(RENAME, {"pid": CALLER, "oldcomm": b"then", "newcomm": b"now"}, tid=CALLER, time_ns=CALL + 100)
    resolver.refresh()
    assert resolver.actor(CALLER, CALL, None).comm == "then"
    assert resolver.actor(CALLER, CALL + 100, None).comm == "now"


@pytest.mark.parametrize("start_ns", [CALL, CALL + SECOND // 100])
def test_id_that_somebody_was_given_within_a_tick_is_not_the_callers(
    proc: FakeProc, past: Past, resolver: Resolver, start_ns: int
) -> None:
    ran(past, b"/usr/bin/dmesg")
    past.fork(CALL + 100, parent=SHELL, child=CALLER)
    proc.add(CALLER, comm="dmesg", exe="/usr/bin/innocent", start_ns=start_ns)
    assert named(resolver) == ("exec_trace", "/usr/bin/dmesg")
    assert resolver.name(CALLER, CALL, b"dmesg") == ("dmesg", "/usr/bin/dmesg")


def test_without_a_recorder_only_the_living_have_names(proc: FakeProc) -> None:
    resolver = Resolver(None, proc=proc.folder)
    proc.add(CALLER, comm="dmesg", exe="/usr/bin/dmesg")
    assert named(resolver) == ("procfs", "/usr/bin/dmesg")
    assert named(resolver, tid=99) == ("none", "")


# --- the dead --------------------------------------------------------------------------------------------------------


def test_dead_caller_is_told_by_its_exec(past: Past, resolver: Resolver) -> None:
    ran(past, b"/usr/bin/dmesg")
    assert named(resolver) == ("exec_trace", "/usr/bin/dmesg")
    actor = resolver.actor(CALLER, CALL, b"dmesg")
    assert (actor.pid, actor.parent_pid, actor.user_id, actor.command_args) == (CALLER, SHELL, None, None)


def test_dead_fork_without_an_exec_ran_what_its_parent_ran(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 200, parent=SHELL, child=CALLER, comm=b"bash")
    assert named(resolver, comm=b"bash") == ("fork_trace", "/usr/bin/bash")


def test_dead_fork_with_a_name_of_its_own_may_have_run_what_was_not_recorded(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 200, parent=SHELL, child=CALLER, comm=b"bash")
    past.rename(CALL - 100, CALLER, b"d")
    assert named(resolver, comm=b"d") == ("none", "")


def test_dead_caller_that_had_an_empty_name_has_none(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    ran(past, b"/usr/bin/dmesg")
    past.rename(CALL - 50, CALLER, b"")
    proc.add(CALLER, comm="later", exe=None, state="Z")
    resolver.refresh()
    assert resolver.actor(CALLER, CALL, None).comm == ""


def test_dead_fork_of_a_dead_parent_ran_what_that_had_run_when_it_forked(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 400, parent=SHELL, child=SCRIPT)
    past.exec(CALL - 300, SCRIPT, b"/usr/bin/dmesg")
    past.fork(CALL - 200, parent=SCRIPT, child=CALLER)
    past.exec(CALL - 100, SCRIPT, b"/usr/bin/bash")
    assert named(resolver) == ("fork_trace", "/usr/bin/dmesg")


def test_thread_of_a_dead_process_is_told_by_its_process(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 400, parent=SHELL, child=SCRIPT)
    past.exec(CALL - 300, SCRIPT, b"/usr/bin/dmesg")
    past.fork(CALL - 200, parent=SCRIPT, child=41, comm=b"dmesg", thread=True)
    past.fork(CALL - 150, parent=41, child=CALLER, comm=b"dmesg", thread=True)
    past.rename(CALL - 100, CALLER, b"worker")
    resolver.refresh()
    actor = resolver.actor(CALLER, CALL, None)
    assert (actor.pid, actor.tid, actor.comm, actor.exe, actor.source) == (
        SCRIPT,
        CALLER,
        "worker",
        "/usr/bin/dmesg",
        "fork_trace",
    )
    assert actor.parent_pid == SHELL


def test_thread_of_a_living_process_is_part_of_it_when_it_is_dead(
    proc: FakeProc, past: Past, resolver: Resolver
) -> None:
    proc.add(SCRIPT, comm="java", exe="/usr/bin/java", parent=SHELL)
    past.fork(CALL - 200, parent=SCRIPT, child=CALLER, comm=b"java", thread=True)
    assert named(resolver, comm=b"java") == ("fork_trace", "/usr/bin/java")
    assert resolver.actor(CALLER, CALL, b"java").pid == SCRIPT


def test_newest_life_before_the_call_counts_when_an_id_was_used_again(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 900, parent=SHELL, child=CALLER)
    past.exec(CALL - 800, CALLER, b"/usr/bin/bash")
    ran(past, b"/usr/bin/dmesg")
    past.fork(CALL + 500, parent=SHELL, child=CALLER)
    past.exec(CALL + 600, CALLER, b"/usr/bin/bash")
    assert named(resolver) == ("exec_trace", "/usr/bin/dmesg")


@pytest.mark.parametrize("cpu", [0, 1])
def test_record_before_a_gap_names_nobody(past: Past, resolver: Resolver, cpu: int) -> None:
    ran(past, b"/usr/bin/dmesg")
    past.fake.put("recorder", cpu, page(CALL - 50, lost=None))
    assert named(resolver) == ("none", "")


def test_zombie_is_told_by_what_was_recorded(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    ran(past, b"/usr/bin/dmesg")
    proc.add(CALLER, comm="dmesg", exe=None, state="Z", parent=SHELL)
    assert named(resolver) == ("exec_trace", "/usr/bin/dmesg")


def test_zombie_that_nothing_was_recorded_of_has_a_comm_alone(proc: FakeProc, resolver: Resolver) -> None:
    proc.add(CALLER, comm="dmesg", exe=None, state="Z", parent=SHELL)
    actor = resolver.actor(CALLER, CALL, None)
    assert (actor.comm, actor.exe, actor.source, actor.parent_pid) == ("dmesg", "", "none", SHELL)


def test_dead_caller_never_seen_is_unknown_but_for_its_comm(resolver: Resolver) -> None:
    resolver.refresh()
    actor = resolver.actor(CALLER, CALL, b"dm\xff")
    assert (actor.pid, actor.comm, actor.exe, actor.source, actor.ancestors) == (CALLER, "dm\ufffd", "", "none", ())
    assert (actor.parent_pid, actor.container_id, actor.origin) == (None, None, "")


# --- what the path given to execve means -----------------------------------------------------------------------------


def test_relative_path_is_not_guessed_from_where_the_parent_is(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    proc.file("/srv/job/tool")
    ran(past, b"./tool")
    assert named(resolver) == ("exec_trace", "~./tool")


def test_symlink_is_followed_to_what_proc_would_have_said(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    proc.link("/bin", "usr/bin")
    ran(past, b"/bin/dmesg")
    assert named(resolver) == ("exec_trace", "~/usr/bin/dmesg")


def test_script_shows_its_interpreter_and_its_own_comm(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    proc.file("/srv/job/clean.sh", b"#!/usr/bin/bash\n")
    ran(past, b"/srv/job/clean.sh")
    assert named(resolver, comm=None) == ("exec_trace", "~/usr/bin/bash")
    assert resolver.actor(CALLER, CALL, None).comm == "clean.sh"


def test_executable_that_is_gone_keeps_the_path_that_was_given(past: Past, resolver: Resolver) -> None:
    ran(past, b"/tmp/payload")
    assert named(resolver) == ("exec_trace", "~/tmp/payload")


def test_own_executable_is_what_ran_before(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 300, parent=SHELL, child=CALLER)
    past.exec(CALL - 200, CALLER, b"/usr/bin/dmesg")
    past.exec(CALL - 100, CALLER, b"/proc/self/exe")
    assert named(resolver) == ("exec_trace", "~/usr/bin/dmesg")


def test_thousand_runs_of_the_own_executable_are_what_ran_before_them(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 5000, parent=SHELL, child=CALLER)
    past.exec(CALL - 4000, CALLER, b"/usr/bin/dmesg")
    for number in range(1000):
        past.exec(CALL - 3000 + number, CALLER, b"/proc/self/exe")
        resolver.refresh()
    assert named(resolver) == ("exec_trace", "~/usr/bin/dmesg")
    assert resolver.name(CALLER, CALL, b"exe") == ("exe", "/usr/bin/dmesg")


def test_own_executable_of_a_fork_is_the_parents(past: Past, resolver: Resolver) -> None:
    ran(past, b"/proc/self/exe")
    assert named(resolver) == ("exec_trace", "~/usr/bin/bash")


def test_own_executable_of_somebody_unknown_stays_what_was_given(past: Past, resolver: Resolver) -> None:
    past.exec(CALL - 100, CALLER, b"/proc/self/exe")
    assert named(resolver) == ("exec_trace", "~/proc/self/exe")


def test_path_of_a_child_in_a_container_is_looked_up_in_the_container(
    proc: FakeProc, past: Past, resolver: Resolver
) -> None:
    inside = proc.folder.parent / "container"
    proc.file("/opt/busybox", root=inside)
    proc.link("/bin/dmesg", "/opt/busybox", root=inside)
    proc.add(SCRIPT, comm="sh", exe="/opt/busybox", root=inside)
    ran(past, b"/bin/dmesg", parent=SCRIPT)
    assert named(resolver) == ("exec_trace", "~/opt/busybox")


def test_path_of_a_dead_container_is_not_looked_up_on_the_host(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    proc.link("/bin/dmesg", "/usr/bin/dmesg")
    proc.add(SCRIPT, comm="containerd-shim", exe="/usr/bin/containerd-shim", cgroup="/system.slice/containerd.service")
    past.fork(CALL - 300, parent=SCRIPT, child=CALLER)
    past.move(CALL - 200, CALLER, f"/kubepods/besteffort/pod{UID}/{ID}".encode())
    past.exec(CALL - 100, CALLER, b"/bin/dmesg")
    assert named(resolver) == ("exec_trace", "~/bin/dmesg")


def ends_when_looked_at(monkeypatch: pytest.MonkeyPatch, tid: int, then: Callable[[], None] = lambda: None) -> None:
    """A process is gone as soon as it was looked at once, and something else may have its id."""
    read = procfs.read_living
    looks = 0

    def read_early(asked: int, *, proc: Path) -> procfs.Living | None:
        nonlocal looks
        living = read(asked, proc=proc)
        if asked == tid:
            looks += 1
        if asked == tid and looks == 1:
            shutil.rmtree(proc / str(tid))
            then()
        return living

    monkeypatch.setattr(procfs, "read_living", read_early)


@pytest.mark.parametrize("leaves", ["nothing", "a zombie", "somebody else"])
def test_path_is_looked_up_as_the_next_one_above_sees_it_where_the_first_ended_meanwhile(
    proc: FakeProc, past: Past, resolver: Resolver, monkeypatch: pytest.MonkeyPatch, leaves: str
) -> None:
    inside = proc.folder.parent / "container"
    proc.file("/srv/clean.sh", b"#!/bin/sh\n", root=inside)
    proc.file("/bin/sh", root=inside)
    proc.add(60, comm="supervisor", exe="/bin/supervisor", root=inside)
    past.fork(CALL - 400, parent=60, child=SCRIPT)
    proc.add(SCRIPT, comm="sh", exe="/bin/sh", parent=60, root=inside)
    ran(past, b"/srv/clean.sh", parent=SCRIPT)

    def leave() -> None:
        if leaves == "a zombie":
            proc.add(SCRIPT, comm="sh", exe=None, parent=60, state="Z")
            (proc.folder / str(SCRIPT) / "root").unlink()
        elif leaves == "somebody else":
            proc.add(SCRIPT, comm="other", parent=1, start_ns=CALL + SECOND)
            proc.file("/srv/clean.sh", b"#!/bin/other\n")
            proc.file("/bin/other")

    ends_when_looked_at(monkeypatch, SCRIPT, leave)
    assert named(resolver) == ("exec_trace", "~/bin/sh")


def test_path_is_looked_up_on_the_host_where_everybody_above_ended_meanwhile(
    proc: FakeProc, past: Past, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc.link("/bin/dmesg", "/usr/bin/dmesg")
    proc.add(SCRIPT, comm="sh", exe="/bin/sh", root=proc.folder.parent / "gone")
    ends_when_looked_at(monkeypatch, SCRIPT)
    ran(past, b"/bin/dmesg", parent=SCRIPT)
    assert named(resolver) == ("exec_trace", "~/usr/bin/dmesg")


def test_container_is_not_that_of_somebody_who_has_the_id_now(
    proc: FakeProc, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc.add(CALLER, comm="dmesg", exe="/usr/bin/dmesg", parent=SHELL)

    def reuse() -> None:
        proc.add(CALLER, comm="innocent", start_ns=CALL + SECOND, cgroup=f"/kubepods/besteffort/pod{UID}/{ID}")

    ends_when_looked_at(monkeypatch, CALLER, reuse)
    actor = resolver.actor(CALLER, CALL, b"dmesg")
    assert (actor.comm, actor.container_id, actor.pod_uid) == ("dmesg", None, None)


def test_path_of_a_container_of_which_nobody_is_left_is_not_looked_up_on_the_host(
    proc: FakeProc, past: Past, resolver: Resolver
) -> None:
    proc.link("/bin/dmesg", "/usr/bin/dmesg")
    past.fork(CALL - 300, parent=SCRIPT, child=CALLER)
    past.move(CALL - 200, CALLER, f"/kubepods/besteffort/pod{UID}/{ID}".encode())
    past.exec(CALL - 100, CALLER, b"/bin/dmesg")
    assert named(resolver) == ("exec_trace", "~/bin/dmesg")


# --- the chain above -------------------------------------------------------------------------------------------------


def chain(resolver: Resolver) -> list[tuple[int, str, str]]:
    resolver.refresh()
    actor = resolver.actor(CALLER, CALL, b"dmesg")
    return [(process.pid, process.comm, process.exe) for process in actor.ancestors]


def test_chain_leads_over_dead_ancestors_to_the_living(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    proc.file("/srv/job/clean.sh", b"#!/usr/bin/bash\n")
    past.fork(CALL - 600, parent=SHELL, child=SCRIPT)
    past.exec(CALL - 500, SCRIPT, b"/srv/job/clean.sh")
    past.fork(CALL - 400, parent=SCRIPT, child=41)
    past.exec(CALL - 300, 41, b"/usr/bin/bash")
    ran(past, b"/usr/bin/dmesg", parent=41)
    assert chain(resolver) == [
        (41, "bash", "/usr/bin/bash"),
        (SCRIPT, "clean.sh", "/usr/bin/bash"),
        (SHELL, "bash", "/usr/bin/bash"),
        (1, "systemd", "/usr/lib/systemd/systemd"),
    ]
    assert resolver.actor(CALLER, CALL, b"dmesg").origin == "clean.sh"


def test_orphan_is_below_the_process_that_forked_it_not_below_init(
    proc: FakeProc, past: Past, resolver: Resolver
) -> None:
    past.fork(CALL - 400, parent=SHELL, child=SCRIPT)
    past.exec(CALL - 300, SCRIPT, b"/usr/bin/bash")
    past.fork(CALL - 200, parent=SCRIPT, child=CALLER)
    proc.add(CALLER, comm="dmesg", exe="/usr/bin/dmesg", parent=1)
    assert [pid for pid, _comm, _exe in chain(resolver)] == [SCRIPT, SHELL, 1]


def test_orphan_whose_birth_was_not_recorded_is_below_init(proc: FakeProc, resolver: Resolver) -> None:
    proc.add(CALLER, comm="dmesg", exe="/usr/bin/dmesg", parent=1)
    assert [pid for pid, _comm, _exe in chain(resolver)] == [1]


def test_sibling_is_below_the_parent_of_the_one_that_made_it(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 400, parent=SHELL, child=SCRIPT)
    past.fork(CALL - 200, parent=SCRIPT, child=CALLER, sibling=True)
    assert [pid for pid, _comm, _exe in chain(resolver)] == [SHELL, 1]
    assert resolver.actor(CALLER, CALL, b"dmesg").parent_pid == SHELL


def test_chain_of_a_thousand_siblings_has_an_end(past: Past, resolver: Resolver) -> None:
    for number in range(1000):
        past.fork(CALL - 2000 + number, parent=5000 + number, child=5001 + number, sibling=True)
        resolver.refresh()
    assert resolver.actor(6000, CALL, b"dmesg").ancestors == ()


def test_fork_that_made_itself_has_no_chain(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 200, parent=CALLER, child=CALLER, sibling=True)
    resolver.refresh()
    assert resolver.actor(CALLER, CALL, b"dmesg").ancestors == ()


def test_child_of_a_thread_is_below_its_process(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    proc.add(90, comm="java", exe="/usr/bin/java")
    proc.add(91, pid=90, comm="worker", exe="/usr/bin/java")
    ran(past, b"/usr/bin/dmesg", parent=91)
    assert [pid for pid, _comm, _exe in chain(resolver)] == [90, 1]


def test_chain_of_the_dead_ends_where_nothing_was_recorded(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 400, parent=99, child=SCRIPT)
    ran(past, b"/usr/bin/dmesg", parent=SCRIPT)
    assert [pid for pid, _comm, _exe in chain(resolver)] == [SCRIPT, 99]


def test_chain_is_bounded(past: Past, resolver: Resolver) -> None:
    for number in range(30):
        past.fork(CALL - 1000 + number, parent=100 + number, child=101 + number)
    past.fork(CALL - 200, parent=130, child=CALLER)
    assert [pid for pid, _comm, _exe in chain(resolver)] == list(range(130, 114, -1))


# --- the container ---------------------------------------------------------------------------------------------------


def test_living_callers_container_is_told_by_its_cgroup(proc: FakeProc, resolver: Resolver) -> None:
    proc.add(CALLER, comm="dmesg", exe="/usr/bin/dmesg", cgroup=f"/kubepods/besteffort/pod{UID}/{ID}")
    actor = resolver.actor(CALLER, CALL, b"dmesg")
    assert (actor.container_id, actor.pod_uid) == (ID, UID)


def test_dead_callers_container_is_where_it_was_put(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 300, parent=SHELL, child=CALLER)
    past.move(CALL - 200, CALLER, f"/kubepods/besteffort/pod{UID}/{ID}".encode())
    past.exec(CALL - 100, CALLER, b"/usr/bin/dmesg")
    resolver.refresh()
    actor = resolver.actor(CALLER, CALL, b"dmesg")
    assert (actor.container_id, actor.pod_uid) == (ID, UID)


def test_dead_callers_container_is_where_a_dead_ancestor_was_put(past: Past, resolver: Resolver) -> None:
    past.fork(CALL - 600, parent=SHELL, child=SCRIPT)
    past.move(CALL - 500, SCRIPT, f"/docker/{ID}".encode())
    past.fork(CALL - 400, parent=SCRIPT, child=41)
    ran(past, b"/usr/bin/dmesg", parent=41)
    resolver.refresh()
    assert resolver.actor(CALLER, CALL, b"dmesg").container_id == ID


def test_child_that_a_runtimes_helper_cloned_as_a_sibling_is_in_the_helpers_container(
    proc: FakeProc, past: Past, resolver: Resolver
) -> None:
    proc.add(SCRIPT, comm="runc", exe="/usr/bin/runc", cgroup="/system.slice/containerd.service")
    past.fork(CALL - 500, parent=SCRIPT, child=41, comm=b"runc")
    past.move(CALL - 400, 41, f"/kubepods/besteffort/pod{UID}/{ID}".encode())
    past.fork(CALL - 300, parent=41, child=CALLER, comm=b"runc:[1:CHILD]", sibling=True)
    past.exec(CALL - 100, CALLER, b"/usr/bin/dmesg")
    resolver.refresh()
    actor = resolver.actor(CALLER, CALL, b"dmesg")
    assert (actor.container_id, actor.pod_uid, actor.parent_pid) == (ID, UID, SCRIPT)


def test_dead_callers_container_is_where_a_living_ancestor_is(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    proc.add(SCRIPT, comm="sh", exe="/usr/bin/bash", cgroup=f"/docker/{ID}")
    ran(past, b"/usr/bin/dmesg", parent=SCRIPT)
    resolver.refresh()
    assert resolver.actor(CALLER, CALL, b"dmesg").container_id == ID


# --- calls that are only counted -------------------------------------------------------------------------------------


def test_counted_call_is_named_once_and_then_by_the_cache(proc: FakeProc, past: Past) -> None:
    now = 0.0
    resolver = Resolver(past.recorder, proc=proc.folder, monotonic=lambda: now, boot_ns=lambda: 0)
    proc.add(CALLER, comm="journald", exe="/usr/lib/journald")
    assert resolver.name(CALLER, CALL, b"journald") == ("journald", "/usr/lib/journald")
    proc.remove(CALLER)
    assert resolver.name(CALLER, CALL, b"journald") == ("journald", "/usr/lib/journald")
    now = 2.5
    assert resolver.name(CALLER, CALL, b"journald") == ("journald", "")
    assert resolver.attributions == {"procfs": 1, "cache": 1, "none": 1}


def test_counted_call_of_another_comm_is_not_the_cached_one(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    proc.add(CALLER, comm="journald", exe="/usr/lib/journald")
    resolver.name(CALLER, CALL, b"journald")
    ran(past, b"/usr/bin/dmesg")
    past.exec(CALL + 100, CALLER, b"/usr/lib/journald")
    assert resolver.name(CALLER, CALL, b"dmesg") == ("dmesg", "/usr/bin/dmesg")


@pytest.mark.parametrize("comm", [b"dmesg", None])
def test_cached_name_is_not_told_of_who_runs_something_else_by_then(
    past: Past, resolver: Resolver, comm: bytes | None
) -> None:
    ran(past, b"/opt/first/dmesg")
    assert resolver.name(CALLER, CALL, comm) == ("dmesg", "/opt/first/dmesg")
    past.exec(CALL + 100, CALLER, b"/opt/second/dmesg")
    assert resolver.name(CALLER, CALL + 200, comm) == ("dmesg", "/opt/second/dmesg")
    past.fork(CALL + 300, parent=SHELL, child=CALLER)
    past.exec(CALL + 400, CALLER, b"/opt/third/dmesg")
    assert resolver.name(CALLER, CALL + 500, comm) == ("dmesg", "/opt/third/dmesg")
    assert resolver.name(CALLER, CALL, comm) == ("dmesg", "/opt/first/dmesg")
    assert resolver.attributions == {"exec_trace": 4}


def test_reader_that_ran_the_same_before_and_after_a_gap_ran_it_in_between(
    proc: FakeProc, past: Past, resolver: Resolver
) -> None:
    proc.add(CALLER, comm="journald", exe="/usr/lib/journald")
    assert resolver.name(CALLER, CALL, b"journald") == ("journald", "/usr/lib/journald")
    past.fake.put("recorder", 0, page(CALL + 200, lost=1))
    assert resolver.name(CALLER, CALL + 100, b"journald") == ("journald", "/usr/lib/journald")
    assert resolver.attributions == {"procfs": 1, "cache": 1}
    proc.remove(CALLER)
    past.fake.put("recorder", 0, page(CALL + 400, lost=1))
    assert resolver.name(CALLER, CALL + 300, b"journald") == ("journald", "")


def test_each_name_of_a_process_that_renames_itself_is_its_own(past: Past, resolver: Resolver) -> None:
    for number in range(50):
        past.rename(CALL + 10 * number, CALLER, b"n%d" % number)
    names = [resolver.name(CALLER, CALL + 10 * number + 5, None)[0] for number in range(50)]
    assert names == [f"n{number}" for number in range(50)]


def test_counted_call_without_a_comm_has_the_comm_that_was_found(proc: FakeProc, resolver: Resolver) -> None:
    proc.add(CALLER, comm="journald", exe="/usr/lib/journald")
    assert resolver.name(CALLER, CALL, None) == ("journald", "/usr/lib/journald")


def test_counted_call_of_the_dead_is_named_by_the_recorder(past: Past, resolver: Resolver) -> None:
    ran(past, b"/usr/bin/dmesg")
    assert resolver.name(CALLER, CALL, b"dmesg") == ("dmesg", "/usr/bin/dmesg")
    assert resolver.attributions == {"exec_trace": 1}


def test_cache_is_bounded(proc: FakeProc, past: Past) -> None:
    resolver = Resolver(past.recorder, proc=proc.folder, monotonic=lambda: 0.0)
    for tid in range(1000, 2000):
        resolver.name(tid, CALL, b"x")
    assert 0 < len(resolver._cache) <= 256
    assert 0 < len(resolver._seen) <= 256


def test_every_story_counts_its_source_once(proc: FakeProc, past: Past, resolver: Resolver) -> None:
    ran(past, b"/usr/bin/dmesg")
    proc.add(50, comm="cat", exe="/usr/bin/cat")
    resolver.refresh()
    resolver.actor(CALLER, CALL, b"dmesg")
    resolver.actor(50, CALL, b"cat")
    resolver.actor(99, CALL, b"?")
    assert resolver.attributions == {"exec_trace": 1, "procfs": 1, "none": 1}


def test_thread_of_very_many_names_is_other_until_the_next_batch(
    past: Past, proc: FakeProc, resolver: Resolver
) -> None:
    proc.add(CALLER, comm="last", exe="/usr/bin/daemon")
    for number in range(70):
        past.rename(CALL + 10 * number, CALLER, b"name-%d" % number)
        resolver.refresh()
    told = [resolver.actor(CALLER, CALL + 10 * number, None).comm for number in range(70)]
    assert told == [f"name-{number}" for number in range(64)] + ["other"] * 6
    assert resolver.name(CALLER, CALL + 690, None) == ("other", "other")
    resolver.begin()
    assert resolver.name(CALLER, CALL + 690, None) == ("name-69", "/usr/bin/daemon")
