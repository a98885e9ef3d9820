"""What others have set in tracefs stays as it is, while the agent is there and after it has gone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cleaners import Cleaners
from neighbours import NAME, SYSLOG, probe
from support import INSTANCES, TRACEFS, eventually, running

INSTANCE = TRACEFS / "instances" / NAME
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


@contextmanager
def written(path: Path, text: str, *, back: str) -> Iterator[None]:
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(back)


@pytest.fixture(autouse=True)
def _neighbour() -> Iterator[None]:
    """Somebody with settings of his own: a stopped top level with a filter, and an instance that records."""
    with ExitStack() as stack:
        INSTANCE.mkdir()
        stack.callback(INSTANCE.rmdir)
        stack.enter_context(probe("p", "log_call"))
        for path, text, back in (
            (TRACEFS / "tracing_on", "0", "1"),
            (TRACEFS / "trace_clock", "global", "local"),
            (TRACEFS / "set_ftrace_filter", "vfs_read", ""),
            (INSTANCE / "set_ftrace_filter", SYSLOG, ""),
            (INSTANCE / "current_tracer", "function", "nop"),
            (INSTANCE / "events" / NAME / "enable", "1", "0"),
        ):
            stack.enter_context(written(path, text, back=back))
        yield


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
        with probe("r", "log_return"):
            assert f":{NAME}/log_return {SYSLOG}" in settings()["probes"]
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
