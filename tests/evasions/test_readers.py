"""kmsg_readers against fuser and lsof: whoever holds the log open for reading, however it came by the descriptor."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from holders import INSIDE, READY
from support import Agent, eventually, running

HOLDERS = Path(__file__).with_name("holders.py")
FILES = {"dev_kmsg": "/dev/kmsg", "proc_kmsg": "/proc/kmsg"}
EXPECTED = {
    "dev_kmsg": Counter(["reads dev", "reads, writes", "duplicates", "inherits", "was passed", "in a user's"]),
    "proc_kmsg": Counter(["reads proc"]),  # which tools outside of its namespaces see
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Iterator[Agent]:
    with (
        subprocess.Popen([sys.executable, HOLDERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holders,
    ):
        assert holders.stdout is not None
        assert [holders.stdout.readline() for _ in range(READY)] == [b"ready\n"] * READY
        with running(tmp_path_factory.mktemp("agent"), backend) as one:
            yield one
        holders.communicate(b"", timeout=60)


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().removesuffix("\n")


def called(name: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(path.parent.name)] if path.read_text() == f"{name}\n" else []
    return found


def by_lsof(file: str, *inside: str) -> set[tuple[int, str]]:
    """(pid, mode) of each descriptor: r, w or u for both."""
    shown = subprocess.run([*inside, "lsof", "-w", "-Fpa", file], check=False, capture_output=True, text=True).stdout
    found, pid = set(), 0
    for line in shown.splitlines():
        if line[0] == "p":
            pid = int(line[1:])
        elif line[0] == "a":
            found.add((pid, line[1:]))
    return found


def by_fuser(file: str, *inside: str) -> set[int]:
    shown = subprocess.run([*inside, "fuser", file], check=False, capture_output=True, text=True).stdout
    return {int(word) for word in shown.split()}


def readers(agent: Agent, interface: str) -> Counter[str]:
    samples = agent.samples("kmsg_readers")
    return Counter({labels["comm"]: int(value) for labels, value in samples if labels["interface"] == interface})


@pytest.mark.parametrize("interface", FILES)
def test_readers_are_those_of_fuser_and_lsof_less_those_that_only_write(agent: Agent, interface: str) -> None:
    held = {(pid, mode) for pid, mode in by_lsof(FILES[interface]) if pid != agent.pid}
    reading = Counter(comm(pid) for pid, mode in held if mode != "w")
    writing = [comm(pid) for pid, mode in held if mode == "w"]
    assert by_fuser(FILES[interface]) - {agent.pid} == {pid for pid, _ in held}
    assert (reading, writing) == (EXPECTED[interface], ["writes only"] * (interface == "dev_kmsg"))
    reading += Counter([INSIDE] * (interface == "proc_kmsg"))
    eventually(lambda: readers(agent, interface) == reading, why=f"{readers(agent, interface)}")


@pytest.mark.usefixtures("agent")
def test_the_reader_in_namespaces_is_that_of_fuser_and_lsof_in_there() -> None:
    (pid,) = called(INSIDE)
    inside = ("nsenter", f"--target={pid}", "--mount", "--pid")
    assert by_lsof("/proc/kmsg", *inside) == {(1, "r")}
    assert by_fuser("/proc/kmsg", *inside) == {1}
