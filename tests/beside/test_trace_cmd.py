"""trace-cmd and the agent each see every call, whoever comes first and whoever goes first."""

from __future__ import annotations

from pathlib import Path

from clears import cleared, sees
from neighbours import TraceCmd
from support import ours_in_tracefs, running


def test_trace_cmd_that_was_there_first_sees_every_call_until_after_the_agent_has_gone(
    tmp_path: Path, backend: str
) -> None:
    with TraceCmd(tmp_path) as neighbour:
        pids = cleared(tmp_path, "before")
        with running(tmp_path / "agent", backend) as agent:
            pids += cleared(tmp_path, "during")
            sees(agent, backend, "during")
        assert ours_in_tracefs() == []
        pids += cleared(tmp_path, "after")
        neighbour.end()
        assert neighbour.differs(pids) == {}


def test_agent_that_was_there_first_sees_every_call_until_after_trace_cmd_has_gone(
    tmp_path: Path, backend: str
) -> None:
    with running(tmp_path / "agent", backend) as agent:
        cleared(tmp_path, "before")
        with TraceCmd(tmp_path) as neighbour:
            pids = cleared(tmp_path, "during")
            neighbour.end()
            assert neighbour.differs(pids) == {}
        cleared(tmp_path, "after")
        sees(agent, backend, "before", "during", "after")
        assert agent.count("kmsg_exporter_trace_lost_events_total") == 0
        assert "took away" not in agent.log()
