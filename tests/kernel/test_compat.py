"""With --trace.compat-syscalls the tracepoint backend names callers of both ABIs, each once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import CLEAR, Agent, eventually, printk, program32, program_int80, running

DMESG = os.path.realpath(shutil.which("dmesg") or "dmesg")
pytestmark = pytest.mark.backends("tracepoint")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Iterator[Agent]:
    with running(tmp_path_factory.mktemp("agent"), backend, "--trace.compat-syscalls") as one:
        yield one


def is_named(agent: Agent, program: Path, command: list[Path | str]) -> None:
    """It clears what it can hide, and is counted and told under its own name and no other."""
    labels = {"comm": program.name, "exe": str(program), "action": "clear"}
    clears, unexplained = agent.count("kmsg_clears_total"), agent.count("kmsg_unattributed_clears_total")
    known = len(agent.told())
    printk(f"before a clear by {program.name}")
    subprocess.run(command, check=True)
    eventually(lambda: agent.count("kmsg_clears_total", **labels) == 1)
    assert agent.count("kmsg_clears_total") == clears + 1
    (event,) = eventually(lambda: agent.told()[known:])
    assert (event["kmsg.process.comm"], event["process.executable.path"]) == (program.name, str(program))
    assert agent.count("kmsg_unattributed_clears_total") == unexplained


@pytest.mark.parametrize("program", [program32, program_int80])
def test_a_clear_by_the_32_bit_abi_is_named(agent: Agent, tmp_path: Path, program: Callable[[Path, int], Path]) -> None:
    path = program(tmp_path / program.__name__, CLEAR)
    is_named(agent, path, [path])


def test_a_clear_by_the_64_bit_abi_is_named_as_ever(agent: Agent) -> None:
    is_named(agent, Path(DMESG), [DMESG, "-C"])
