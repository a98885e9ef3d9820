"""`watch` as lines, on a real kernel: it names who clears, by an agent that runs and by tracing of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import CLEAR, DEADLINE_SECONDS, environment, eventually, ours_in_tracefs, printk, run_python, running

pytestmark = [pytest.mark.kernels("6.12"), pytest.mark.backends("kprobe", "tracepoint", "function")]


@contextmanager
def watching(folder: Path, backend: str) -> Iterator[subprocess.Popen[str]]:
    command = [
        *(sys.executable, "-m", "kmsg_exporter", "watch", "--interval=0.3", f"--backend={backend}"),
        *(f"--runtime-directory={folder}/run", f"--state-directory={folder}/state"),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            yield process
        finally:
            process.kill()


def clear(name: str) -> None:
    printk("there is something to clear")
    run_python(f"klogctl({CLEAR}, None, 0)", name=name)


def test_it_names_who_clears_by_itself_and_then_as_the_agent_does(tmp_path: Path, backend: str) -> None:
    """One test, for a guest's time: alone, then with an agent that starts and gets the node, then at its end."""
    with watching(tmp_path, backend) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert f"watching through this command's own tracing ({backend})" in next(lines)
        assert ours_in_tracefs()
        clear("cleaner")
        told = next(line for line in lines if " emptied at " in line and " by cleaner[" in line)
        assert " hidden" in told
        with running(tmp_path, backend) as agent:
            next(line for line in lines if f"watching through the agent (pid {agent.pid}, {backend})" in line)
            clear("sweeper")
            eventually(lambda: agent.count("kmsg_clears_total", comm="sweeper") == 1)
            next(line for line in lines if " emptied at " in line and " by sweeper[" in line)
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
    assert ours_in_tracefs() == []
