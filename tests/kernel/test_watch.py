"""`watch` as lines, on a real kernel: it names who clears, by an agent that runs and by tracing of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import CLEAR, DEADLINE_SECONDS, environment, eventually, ours_in_tracefs, printk, run_python, running

pytestmark = pytest.mark.backends("kprobe", "tracepoint", "function")


@contextmanager
def watching(folder: Path, backend: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
    command = [
        *(sys.executable, "-m", "kmsg_exporter", "watch", "--interval=0.3", f"--backend={backend}"),
        *(f"--runtime-directory={folder}/run", f"--state-directory={folder}/state", *flags),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            yield process
        finally:
            process.kill()


def clear(name: str) -> None:
    printk("there is something to clear")
    run_python(f"klogctl({CLEAR}, None, 0)", name=name)


def test_it_names_who_cleared_as_the_agent_does(tmp_path: Path, backend: str) -> None:
    with running(tmp_path, backend) as agent:
        clear("cleaner")
        eventually(lambda: any(event.get("kmsg.process.comm") == "cleaner" for event in agent.events()))
        with watching(tmp_path, backend, "--once") as process:
            out, _ = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0
        assert f"note    watching through the agent (pid {agent.pid}, {backend})" in out
        assert " by cleaner[" in out
        assert "user    cleaner (" in out


def test_it_names_who_clears_by_itself_and_leaves_nothing(tmp_path: Path, backend: str) -> None:
    with watching(tmp_path, backend) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert f"watching through this command's own tracing ({backend})" in next(lines)
        assert ours_in_tracefs()
        clear("cleaner")
        told = next(line for line in lines if " emptied at " in line and " by cleaner[" in line)
        assert " hidden" in told
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
    assert ours_in_tracefs() == []


def test_an_agent_that_starts_gets_the_node_at_once(tmp_path: Path, backend: str) -> None:
    with watching(tmp_path, backend) as process:
        assert process.stdout is not None
        assert "own tracing" in process.stdout.readline()
        with running(tmp_path, backend) as agent:
            said = iter(process.stdout.readline, "")
            next(line for line in said if f"watching through the agent (pid {agent.pid}, " in line)
            clear("cleaner")
            eventually(lambda: agent.count("kmsg_clears_total", comm="cleaner") == 1)
            next(line for line in said if " by cleaner[" in line)
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
