"""kmsg_readers against fuser and lsof: whoever holds the log open for reading, however it came by the descriptor."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from holders import READY
from support import Agent, eventually, running

HOLDERS = Path(__file__).with_name("holders.py")
FILES = {"dev_kmsg": "/dev/kmsg", "proc_kmsg": "/proc/kmsg"}
EXPECTED = {
    "dev_kmsg": Counter(["reads dev", "reads, writes", "duplicates", "inherits", "was passed", "in a user's"]),
    "proc_kmsg": Counter(["reads proc", "in namespaces"]),
}


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Iterator[Agent]:
    with (
        subprocess.Popen([sys.executable, HOLDERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holders,
        running(tmp_path_factory.mktemp("agent"), backend) as one,
    ):
        assert holders.stdout is not None
        assert [holders.stdout.readline() for _ in range(READY)] == [b"ready\n"] * READY
        yield one
        holders.communicate(b"", timeout=60)


def places(file: str) -> list[str]:
    """The file as each process sees it: another /proc is another file system."""
    return [f"/proc/{path.name}/root{file}" for path in Path("/proc").iterdir() if path.name.isdigit()]


def comm(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().removesuffix("\n")


def by_lsof(file: str) -> set[tuple[int, str]]:
    """(pid, mode) of each descriptor: r, w or u for both."""
    shown = subprocess.run(["lsof", "-w", "-Fpa", "--", *places(file)], check=False, capture_output=True, text=True)
    found = set()
    for line in shown.stdout.splitlines():
        if line[0] == "p":
            pid = int(line[1:])
        elif line[0] == "a":
            found.add((pid, line[1:]))
    return found


def by_fuser(file: str) -> set[int]:
    shown = subprocess.run(["fuser", *places(file)], check=False, capture_output=True, text=True).stdout
    return {int(word) for word in re.findall(r"\d+", shown)}


@pytest.mark.parametrize("interface", FILES)
def test_readers_are_those_of_fuser_and_lsof_less_those_that_only_write(agent: Agent, interface: str) -> None:
    own = agent.pid
    held = {(pid, mode) for pid, mode in by_lsof(FILES[interface]) if pid != own}
    reading = {pid for pid, mode in held if mode != "w"}
    writing = {pid for pid, mode in held if mode == "w"}
    assert by_fuser(FILES[interface]) - {own} == reading | writing
    assert Counter(map(comm, reading)) == EXPECTED[interface]
    assert {comm(pid) for pid in writing} == ({"writes only"} if interface == "dev_kmsg" else set())

    def counted() -> Counter[str]:
        samples = agent.samples("kmsg_readers")
        return Counter({labels["comm"]: int(value) for labels, value in samples if labels["interface"] == interface})

    eventually(lambda: counted() == EXPECTED[interface], why=f"{counted()}")
