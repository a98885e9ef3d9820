"""Another user of tracing and the agent each see every call, whoever comes first and whoever goes first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cleaners import clear
from neighbours import SYSLOG, BpfTrace, TraceCmd
from support import Agent, eventually, ours_in_tracefs, running

TIMES = 10
GUEST = "KMSG_GUEST" in os.environ
PROBE = f"kprobe:{SYSLOG}" if GUEST else "tracepoint:syscalls:sys_enter_syslog"


def cleared(directory: Path, when: str) -> None:
    clear(directory / when, times=TIMES)


def sees(agent: Agent, backend: str, *expected: str, asked: int = 0) -> None:
    """The agent has seen all that was cleared at these times, once, and nothing else."""
    clears = TIMES * len(expected)
    if backend == "function":  # it can't tell a clear from other calls
        hits = {"name": "kmsg_exporter_probe_hits_total", "probe": SYSLOG}
        eventually(lambda: agent.count(**hits) >= clears + asked, why=f"{expected} are counted")
        assert agent.count(**hits) == clears + asked
    else:
        eventually(lambda: agent.count("kmsg_clears_total") >= clears, why=f"{expected} are counted")
        counted = {labels["comm"]: value for labels, value in agent.samples("kmsg_clears_total")}
        assert counted == dict.fromkeys(expected, TIMES)


@pytest.mark.guest
def test_trace_cmd_that_was_there_first_sees_every_call_until_after_the_agent_has_gone(
    tmp_path: Path, backend: str
) -> None:
    with TraceCmd(tmp_path) as neighbour:
        cleared(tmp_path, "before")
        with running(tmp_path / "agent", backend) as agent:
            cleared(tmp_path, "during")
            sees(agent, backend, "during")
        assert ours_in_tracefs() == []
        cleared(tmp_path, "after")
        neighbour.end()
        seen = neighbour.saw("before", "during", "after")
    for kind in TraceCmd.KINDS:
        assert (kind, seen[kind]) == (kind, {"before": TIMES, "during": TIMES, "after": TIMES})


@pytest.mark.guest
def test_agent_that_was_there_first_sees_every_call_until_after_trace_cmd_has_gone(
    tmp_path: Path, backend: str
) -> None:
    with running(tmp_path / "agent", backend) as agent:
        cleared(tmp_path, "before")
        with TraceCmd(tmp_path) as neighbour:
            cleared(tmp_path, "during")
            neighbour.end()
            seen = neighbour.saw("before", "during", "after")
        cleared(tmp_path, "after")
        sees(agent, backend, "before", "during", "after")
        assert agent.count("kmsg_exporter_trace_lost_events_total") == 0
        assert "took away" not in agent.log()
    for kind in TraceCmd.KINDS:
        assert (kind, seen[kind]) == (kind, {"before": 0, "during": TIMES, "after": 0})


def test_bpftrace_and_the_agent_come_and_go_and_see_every_call(tmp_path: Path, backend: str) -> None:
    with BpfTrace(tmp_path, PROBE) as neighbour:
        cleared(tmp_path, "bpftrace-alone")
        with running(tmp_path / "agent", backend) as agent:
            cleared(tmp_path, "both")
            sees(agent, backend, "both")
        cleared(tmp_path, "bpftrace-again")
        neighbour.end()
        programs = ("bpftrace-alone", "both", "bpftrace-again")
        assert neighbour.saw(*programs) == dict.fromkeys(programs, TIMES)
    with running(tmp_path / "agent", backend) as agent:
        cleared(tmp_path, "agent-alone")
        with BpfTrace(tmp_path, PROBE) as neighbour:
            cleared(tmp_path, "both")
        cleared(tmp_path, "agent-again")
        sees(agent, backend, "agent-alone", "both", "agent-again", asked=neighbour.asked)
        programs = ("agent-alone", "both", "agent-again")
        assert neighbour.saw(*programs) == {"agent-alone": 0, "both": TIMES, "agent-again": 0}
