"""bpftrace and the agent each see every call, whoever comes first and whoever goes first."""

from __future__ import annotations

import os
from pathlib import Path

from clears import TIMES, cleared, sees
from neighbours import SYSLOG, BpfTrace
from support import running

PROBE = f"kprobe:{SYSLOG}" if "KMSG_GUEST" in os.environ else "tracepoint:syscalls:sys_enter_syslog"


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
