"""What others have set in tracefs stays as it is, while the agent is there and after it has gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cleaners import Cleaners
from neighbours import NAME, SYSLOG
from support import INSTANCES, TRACEFS, eventually, kprobe_command, running

INSTANCE = TRACEFS / "instances" / NAME
PROBE = f"p:{NAME}/log_call {SYSLOG}"
FILES = (
    *("current_tracer", "tracing_on", "trace_clock", "set_event", "set_ftrace_filter", "set_ftrace_notrace"),
    *("set_ftrace_pid", "trace_options", "buffer_size_kb", "tracing_cpumask"),
)


def settings() -> dict[str, str]:
    """Of the top level and of the neighbour's instance, and the probes and instances that are not the agent's."""
    found = {f"{folder}/{name}": (folder / name).read_text() for folder in (TRACEFS, INSTANCE) for name in FILES}
    probes = (TRACEFS / "kprobe_events").read_text().splitlines()
    found["probes"] = "\n".join(line for line in probes if ":kmsg_exporter/" not in line)
    found["instances"] = " ".join(
        sorted(path.name for path in (TRACEFS / "instances").iterdir() if path.name not in INSTANCES)
    )
    return found


def patched() -> list[str]:
    return sorted((TRACEFS / "enabled_functions").read_text().splitlines())


@pytest.fixture(autouse=True)
def _neighbour() -> Iterator[None]:
    """Somebody with settings of his own: a stopped top level with a filter, and an instance that records."""
    INSTANCE.mkdir()
    kprobe_command(PROBE)
    (TRACEFS / "tracing_on").write_text("0")
    (TRACEFS / "trace_clock").write_text("global")
    (TRACEFS / "set_ftrace_filter").write_text("vfs_read")
    (INSTANCE / "set_ftrace_filter").write_text(f"{SYSLOG}\n")
    (INSTANCE / "current_tracer").write_text("function")
    (INSTANCE / "events" / NAME / "enable").write_text("1")
    yield
    (INSTANCE / "events" / NAME / "enable").write_text("0")
    (INSTANCE / "current_tracer").write_text("nop")
    (TRACEFS / "set_ftrace_filter").write_text("")
    (TRACEFS / "trace_clock").write_text("local")
    (TRACEFS / "tracing_on").write_text("1")
    kprobe_command(f"-:{NAME}/log_call")
    INSTANCE.rmdir()


def test_settings_probes_and_patched_functions_of_others_stay(tmp_path: Path, backend: str) -> None:
    before, functions = settings(), patched()
    with running(tmp_path / "agent", backend):
        assert settings() == before
        assert {line.split()[0] for line in functions} <= {line.split()[0] for line in patched()}
    assert settings() == before
    assert patched() == functions


def test_others_define_and_remove_probes_by_name_while_the_agent_is_there(tmp_path: Path, backend: str) -> None:
    with running(tmp_path / "agent", backend) as agent:
        before = settings()
        kprobe_command(f"r:{NAME}/log_return {SYSLOG}")
        assert f"r:{NAME}/log_return {SYSLOG}" in settings()["probes"]
        kprobe_command(f"-:{NAME}/log_return")
        assert settings() == before
        assert agent.is_ready()


def test_second_instance_with_the_same_functions_and_probes_sees_what_the_agent_sees(
    tmp_path: Path, backend: str
) -> None:
    with running(tmp_path / "agent", backend) as agent:
        cleaners = Cleaners(agent, tmp_path)
        cleaners.clear("seen-by-both", times=10)
        trace = (INSTANCE / "trace").read_text().splitlines()
        lines = [line for line in trace if line.strip().startswith("seen-by-both-")]
        assert sum(": log_call: " in line for line in lines) == 10
        assert sum(f": {SYSLOG} <-" in line for line in lines) == 10
        if backend == "kprobe":
            cleaners.are_counted_once_and_named()
        else:
            eventually(lambda: agent.count("kmsg_exporter_probe_hits_total", probe=SYSLOG) == 10)
