"""Nobody waits for the agent: callers go on while it is stopped or dead, in buffers that do not grow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from figures import Figures
from load import comes_to, counted_in_kernel
from scraper import scraped
from support import INSTANCES, TRACEFS, Agent, environment, eventually, ours_in_tracefs, running

CALLS = 20_000
BUDGET_KB = 1024
DEADLINE_SECONDS = 180.0
LOST = "kmsg_exporter_trace_lost_events_total"


def clear(programs: Path, calls: int) -> None:
    """Clear so often, on one CPU: what is recorded of it then is one row without holes, up to where it did not fit."""
    subprocess.run(
        ["taskset", "-c", "0", programs / "clears", "0", str(calls)],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=DEADLINE_SECONDS,
    )


def buffers_kb() -> int:
    return sum(int((TRACEFS / "instances" / name / "buffer_total_size_kb").read_text()) for name in INSTANCES)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0]


def test_callers_go_on_while_the_agent_is_stopped_and_what_was_lost_is_counted(
    tmp_path: Path, backend: str, programs: Path, figures: Figures
) -> None:
    with running(tmp_path, backend, "--trace.budget-mib=1") as agent, scraped(agent.port):
        os.kill(agent.pid, signal.SIGSTOP)
        try:
            clear(programs, CALLS)
            assert state(agent.pid) == "T"
            assert 0 < buffers_kb() <= BUDGET_KB
        finally:
            os.kill(agent.pid, signal.SIGCONT)
        if counted_in_kernel():
            comes_to(CALLS, lambda: counted(agent))
        else:  # a call is two records
            comes_to(2 * CALLS, lambda: 2 * counted(agent) + agent.count(LOST))
        assert counted(agent) > 0
        assert agent.count(LOST) > 0
        figures.add(
            f"{CALLS} clears while stopped: counted, lost records", f"{counted(agent):.0f}, {agent.count(LOST):.0f}"
        )
        before = counted(agent)
        clear(programs, 1)
        eventually(lambda: counted(agent) == before + 1)


def counted(agent: Agent) -> float:
    """All clears: of those whose records were lost nobody is named where their thread ran something else before."""
    return agent.count("kmsg_clears_total")


def test_what_a_killed_agent_leaves_is_bounded_found_taken_over_and_removed(
    tmp_path: Path, backend: str, programs: Path
) -> None:
    with running(tmp_path, backend, "--trace.budget-mib=1") as agent:
        left = set(ours_in_tracefs())
        agent.stop(signal.SIGKILL)
        clear(programs, CALLS)
        assert set(ours_in_tracefs()) == left
        assert 0 < buffers_kb() <= BUDGET_KB
        found = {check["name"]: check["found"] for check in json.loads(command(agent, "doctor", "--json"))["checks"]}
        assert "an agent that was killed left instance kmsg_exporter, instance" in found["leftovers"]
        assert set(ours_in_tracefs()) == left
        agent.start()
        assert set(ours_in_tracefs()) == left
        assert counted(agent) > 0
        agent.stop(signal.SIGKILL)
        assert "removed instance kmsg_exporter\n" in command(agent, "cleanup")
        assert ours_in_tracefs() == []


def command(agent: Agent, *words: str) -> str:
    """What another kmsg-exporter command with the same directories says."""
    flags = [f"--state-directory={agent.directory}/state", f"--runtime-directory={agent.directory}/run"]
    return subprocess.run(
        [sys.executable, "-m", "kmsg_exporter", *words, *flags],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    ).stdout
