"""Who did it is named, also when it is gone at once, and with the chain above it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import IN_GUEST, KERNEL, Agent, eventually, printk, run_python

DMESG = os.path.realpath(shutil.which("dmesg") or "dmesg")
SHELL = os.path.realpath("/bin/sh")
PYTHON = os.path.realpath(sys.executable)
CALLERS = 60 if IN_GUEST and KERNEL != "6.12" else 300
pytestmark = pytest.mark.backends("kprobe", "tracepoint")


def event_after(agent: Agent, known: int) -> dict[str, object]:
    """The first event beyond the `known` ones."""
    return eventually(lambda: agent.events()[known:])[0]


def test_callers_that_exit_at_once_are_named_all_of_them(agent: Agent, tmp_path: Path) -> None:
    # each is a program of its own name, so that another one's name would show
    callers = [tmp_path / f"caller-{number}" for number in range(CALLERS)]
    for caller in callers:
        caller.symlink_to(DMESG) if number_of(caller) % 2 else shutil.copy2(DMESG, caller)
    for caller in callers:
        subprocess.run([caller, "-n", "4"], check=True)

    def seen() -> dict[tuple[str, str], float]:
        samples = agent.samples("kmsg_console_changes_total")
        return {(labels["comm"], labels["exe"]): value for labels, value in samples if "caller-" in labels["comm"]}

    expected = {(caller.name, str(caller) if number_of(caller) % 2 == 0 else DMESG): 1.0 for caller in callers}
    eventually(lambda: len(seen()) >= CALLERS)
    assert seen() == expected


def number_of(caller: Path) -> int:
    return int(caller.name.rpartition("-")[2])


def test_the_script_behind_dmesg_is_the_origin(agent: Agent, tmp_path: Path) -> None:
    script = tmp_path / "cleanup.sh"
    script.write_text(f"#!/bin/sh\n{DMESG} -C\n:\n")
    script.chmod(0o755)
    # what was written as late as it ran may be another's by now: it is not looked into
    eventually(lambda: time.time_ns() - script.stat().st_ctime_ns > 20_000_000)
    known = len(agent.told())
    printk("for the script")
    subprocess.run(["/bin/sh", "-c", f"{script}; :"], check=True)
    event = event_after(agent, known)
    assert event["kmsg.process.comm"] == "dmesg"
    assert event["process.executable.path"] == DMESG
    assert event["kmsg.process.origin"] == "cleanup.sh"
    chain = event["kmsg.process.ancestors"]
    assert isinstance(chain, list)
    assert [line.split(" ", 1)[1] for line in chain[:3]] == [
        f"cleanup.sh {SHELL}",
        f"sh {SHELL}",
        f"{Path(f'/proc/{os.getpid()}/comm').read_text().strip()} {PYTHON}",
    ]
    assert "run by cleanup.sh <- sh" in str(event["body"])
    assert agent.value("kmsg_clears_by_origin_total", origin="cleanup.sh", expected="false") == 1


def test_a_fork_that_never_execs_has_its_parents_executable(agent: Agent) -> None:
    run_python(
        "pid = os.fork()\nif pid == 0:\n    klogctl(8, None, 4)\n    os._exit(0)\nos.waitpid(pid, 0)", name="forks"
    )
    eventually(lambda: agent.value("kmsg_console_changes_total", comm="forks", exe=PYTHON) == 1)


def test_a_thread_is_counted_under_its_own_name(agent: Agent) -> None:
    code = """
import threading
def work():
    open(f'/proc/self/task/{threading.get_native_id()}/comm', 'w').write('a-thread')
    klogctl(8, None, 4)
thread = threading.Thread(target=work); thread.start(); thread.join()
"""
    run_python(code, name="its-leader")
    eventually(lambda: agent.value("kmsg_console_changes_total", comm="a-thread", exe=PYTHON) == 1)


def test_an_executable_that_was_deleted_is_still_named(agent: Agent, tmp_path: Path) -> None:
    program = tmp_path / "short-lived"
    shutil.copy2(DMESG, program)
    subprocess.run(["/bin/sh", "-c", f"{program} -n 4; rm {program}"], check=True)
    labels = [labels for labels, _ in eventually(lambda: _changes_by(agent, "short-lived"))]
    assert [label["exe"].removesuffix(" (deleted)") for label in labels] == [str(program)]


def test_a_name_of_quotes_and_newlines_and_bytes_is_one_series(agent: Agent, tmp_path: Path) -> None:
    name = b'a"b]\n\xff\\{='
    program = os.fsencode(tmp_path) + b"/" + name
    shutil.copy2(os.fsencode(DMESG), program)
    subprocess.run([program, b"-n", b"4"], check=True)
    comm = 'a"b]\n\ufffd\\{='
    eventually(lambda: agent.value("kmsg_console_changes_total", comm=comm, exe=f"{tmp_path}/{comm}") == 1)


@pytest.mark.guest
def test_the_container_comes_from_the_cgroup(agent: Agent) -> None:
    container = "0123456789abcdef" * 4
    cgroup = Path(f"/sys/fs/cgroup/kubepods/pod6c3fa4a4-9f9e-4b5c-8d7a-0d2b6f3a1c11/{container}")
    cgroup.mkdir(parents=True, exist_ok=True)
    known = len(agent.told())
    printk("for the container")
    # the shell that moved is gone when the agent looks, as the children of a runtime are
    subprocess.run(["/bin/sh", "-c", f"echo $$ > {cgroup}/cgroup.procs; exec {DMESG} -C"], check=True)
    event = event_after(agent, known)
    assert event["kmsg.process.container.id"] == container
    assert event["kmsg.process.pod.uid"] == "6c3fa4a4-9f9e-4b5c-8d7a-0d2b6f3a1c11"


def _changes_by(agent: Agent, comm: str) -> list[tuple[dict[str, str], float]]:
    return [one for one in agent.samples("kmsg_console_changes_total") if one[0]["comm"] == comm]
