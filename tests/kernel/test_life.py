"""The agent comes and goes without a trace, alone on its node, and bears with whoever traces beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import (
    INSTANCES,
    TRACEFS,
    Agent,
    environment,
    eventually,
    kprobe_command,
    ours_in_tracefs,
    printk,
    run_python,
    running,
    stopped,
)

pytestmark = pytest.mark.kernels("5.10", "6.12")  # the oldest and the newest
DMESG = os.path.realpath(shutil.which("dmesg") or "dmesg")
TRACES = pytest.mark.backends("kprobe", "tracepoint", "function")
STRANGER = "p:stranger/log_read vfs_read"


def command(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Another kmsg-exporter command with the directories of the agent of `directory`."""
    flags = [f"--state-directory={directory}/state", f"--runtime-directory={directory}/run"]
    return subprocess.run(
        [sys.executable, "-m", "kmsg_exporter", *words, *flags],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
    )


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.kernels("6.12")),
        pytest.param(signal.SIGTERM, marks=pytest.mark.kernels("5.10", "6.1", "6.1-arm64", "6.12")),
    ],
)
def test_nothing_is_left_in_tracefs_after_a_signal(tmp_path: Path, backend: str, number: int) -> None:
    with running(tmp_path, backend) as agent:
        assert bool(ours_in_tracefs()) == (backend != "state")
        assert agent.stop(number) == 0
    assert ours_in_tracefs() == []


@pytest.mark.kernels("6.12")
@pytest.mark.once
def test_a_second_agent_refuses_to_start_and_names_the_first(tmp_path: Path, backend: str) -> None:
    with running(tmp_path / "first", backend) as first:
        second = Agent(first.directory, backend)
        refused = subprocess.run(
            [*second.command(), f"--state-directory={tmp_path}/second"],
            check=False,
            capture_output=True,
            text=True,
            env=environment(),
        )
        second.close()
        assert refused.returncode == 1
        assert f"another kmsg-exporter (pid {first.pid}) runs on this node" in refused.stderr
        assert first.is_ready()


@TRACES
def test_all_buffers_together_stay_within_the_budget(tmp_path: Path, backend: str) -> None:
    with running(tmp_path, backend, "--trace.budget-mib=2"):
        sizes = [int((TRACEFS / "instances" / name / "buffer_total_size_kb").read_text()) for name in INSTANCES]
        assert 0 < sum(sizes) <= 2048


@TRACES
@pytest.mark.parametrize(("flags", "number"), [((), signal.SIGKILL), (("--trace.keep-on-exit",), signal.SIGTERM)])
def test_what_was_cleared_while_no_agent_ran_is_counted_named_and_sent(
    tmp_path: Path, backend: str, flags: tuple[str, ...], number: int
) -> None:
    with running(tmp_path, backend, *flags) as agent:
        printk("before the end")
        known = len(agent.events())
        agent.stop(number)
        assert ("stopped; tracefs goes on recording" in agent.log()) == (number == signal.SIGTERM)
        agent.flags = ()
        assert set(INSTANCES) <= set(ours_in_tracefs())
        for line in range(5):
            printk(f"while it was away {line}")
            subprocess.run([DMESG, "-C"], check=True)
        agent.start()
        eventually(lambda: len(agent.events()) > known)
        if backend == "function":  # it can't tell a clear from other calls, but here one program called
            assert agent.count("kmsg_unattributed_clears_total") == 1
        else:
            labels = {"comm": "dmesg", "exe": DMESG, "action": "clear"}
            assert agent.count("kmsg_clears_total", **labels) == 5
        events = agent.events()[known:]
        assert sum(event["kmsg.hidden.records"] for event in events) >= 5
        assert len({event["log.record.uid"] for event in agent.events()}) == known + len(events)
    assert ours_in_tracefs() == []


@pytest.mark.once
def test_an_agent_that_is_stopped_as_soon_as_it_is_ready_goes_on_recording_where_it_is_to(tmp_path: Path) -> None:
    code = (
        "from kmsg_exporter.agent.agent import Agent\n"
        "from kmsg_exporter.cli import parser\n"
        "from kmsg_exporter.config import load\n"
        "config = load(parser().parse_args(['run', '--trace.keep-on-exit', '--web.listen-address=127.0.0.1:0',"
        f" '--state-directory={tmp_path}/state', '--runtime-directory={tmp_path}/run']), {{}})\n"
        "with Agent(config, {}) as agent:\n"
        "    agent.stop()\n"
        "    agent.run()\n"
        "print(agent.leaves_recording)\n"
    )
    try:
        assert run_python(code).endswith("True\n")
        assert set(INSTANCES) <= set(ours_in_tracefs())
    finally:
        command(tmp_path, "cleanup")
    assert ours_in_tracefs() == []


@TRACES
def test_cleanup_removes_what_a_killed_agent_left_and_nothing_else(tmp_path: Path, backend: str) -> None:
    strange = TRACEFS / "instances" / "stranger"
    strange.mkdir()
    probes = TRACEFS / "kprobe_events"
    if probes.exists():
        kprobe_command(STRANGER)
    try:
        with running(tmp_path, backend) as agent:
            busy = command(agent.directory, "cleanup")
            assert (busy.returncode, f"(pid {agent.pid})" in busy.stderr) == (1, True)
            agent.stop(signal.SIGKILL)
            assert ours_in_tracefs()
            done = command(agent.directory, "cleanup")
            assert done.returncode == 0
            assert "removed instance kmsg_exporter\n" in done.stdout
            assert ours_in_tracefs() == []
            assert command(agent.directory, "cleanup").stdout == "nothing of ours is in tracefs\n"
        assert strange.is_dir()
        assert not probes.exists() or STRANGER in probes.read_text()
    finally:
        strange.rmdir()
        if probes.exists():
            kprobe_command("-:stranger/log_read")


@pytest.mark.backends("kprobe", "tracepoint")
def test_options_that_others_set_change_nothing_of_what_is_read(tmp_path: Path, backend: str) -> None:
    """An instance starts with the top level's options: a stack trace behind each record, another clock."""
    options = [TRACEFS / "options" / name for name in ("stacktrace", "record-tgid", "event-fork")]
    before = [path.read_text() for path in options]
    clock = TRACEFS / "trace_clock"
    for path in options:
        path.write_text("1")
    clock.write_text("global")
    try:
        with running(tmp_path, backend) as agent:
            printk("with other options")
            subprocess.run([DMESG, "-C"], check=True)
            eventually(lambda: agent.value("kmsg_clears_total", comm="dmesg", exe=DMESG) == 1)
            assert agent.value("kmsg_exporter_trace_lost_events_total") == 0
            assert [path.read_text() for path in options] == ["1\n"] * 3
            assert "[global]" in clock.read_text()
    finally:
        for path, text in zip(options, before, strict=True):
            path.write_text(text.strip())
        clock.write_text("local")


@pytest.mark.backends("kprobe", "tracepoint")
def test_what_somebody_took_away_is_shown_and_attached_again(tmp_path: Path, backend: str) -> None:
    with running(tmp_path, backend) as agent:
        instance = TRACEFS / "instances" / "kmsg_exporter"
        (instance / "events" / "enable").write_text("0")
        eventually(lambda: "took away what the" in agent.log())
        eventually(lambda: "is attached now" in agent.log())
        eventually(agent.is_ready)
        probes = [value for _, value in agent.samples("kmsg_exporter_probe_attached")]
        assert probes == [1.0] * len(probes)
        printk("after it was attached again")
        subprocess.run([DMESG, "-C"], check=True)
        eventually(lambda: agent.value("kmsg_clears_total", comm="dmesg", exe=DMESG) == 1)


@pytest.mark.backends("function")
def test_only_the_functions_asked_for_are_patched(tmp_path: Path, backend: str) -> None:
    def patched() -> set[str]:
        return {line.split()[0] for line in (TRACEFS / "enabled_functions").read_text().splitlines()}

    before = patched()
    with running(tmp_path, backend):
        ours = {
            *("devkmsg_open", "devkmsg_read", "devkmsg_release", "devkmsg_write"),
            *("kmsg_open", "kmsg_read", "kmsg_release"),
        }
        added = patched() - before
        assert ours <= added
        assert {name for name in added - ours if not name.endswith("sys_syslog")} == set()
    assert patched() == before


@pytest.mark.backends("function")
@pytest.mark.guest
def test_two_callers_in_one_window_name_nobody(tmp_path: Path, backend: str) -> None:
    with running(tmp_path, backend) as agent:
        before = agent.count("kmsg_unattributed_clears_total")
        printk("who of the two")
        with stopped(agent):
            subprocess.run([DMESG, "-C"], check=True)
            subprocess.run([DMESG, "-n", "4"], check=True)
        eventually(lambda: agent.count("kmsg_unattributed_clears_total") == before + 1)
        assert agent.value("kmsg_clears_total") is None


@pytest.mark.once
def test_doctor_says_what_this_node_accepts(tmp_path: Path, backend: str) -> None:
    with running(tmp_path, backend) as agent:
        agent.stop()
        answer = command(agent.directory, "doctor", "--json")
    found = json.loads(answer.stdout)
    best = "kprobe" if (TRACEFS / "kprobe_events").exists() else "tracepoint"
    assert (answer.returncode, found["backend"], found["exit_code"]) == (0, best, 0)
    assert {check["name"]: check["verdict"] for check in found["checks"]}["tracefs"] == "ok"
    assert ours_in_tracefs() == []


@pytest.mark.backends("kprobe", "tracepoint")
def test_without_dev_kmsg_the_lost_lines_come_from_the_flight_recorder(tmp_path: Path, backend: str) -> None:
    (tmp_path / "dev").mkdir()
    printk("visible before the agent started")
    with running(tmp_path / "agent", backend, f"--path.dev={tmp_path}/dev") as agent:
        printk("printed while it ran")
        subprocess.run([DMESG, "-C"], check=True)
        eventually(lambda: agent.value("kmsg_emptied_total") == 1)
        event = eventually(agent.events)[0]
        sample = [line.rpartition("] ")[2] for line in event["kmsg.hidden.sample"]]
        assert "visible before the agent started" in sample
        assert event["kmsg.process.comm"] == "dmesg"
        assert agent.value("kmsg_hidden_records") is None
        assert agent.value("kmsg_empty") == 1
        # on 5.10 the event is for records that reach a console only
        reaches = "printed while it ran" in sample
        assert reaches or os.uname().release.startswith("5.10")
    with running(tmp_path / "agent", backend) as with_device:  # what was told without numbers is not told again
        assert with_device.value("kmsg_emptied_total") == 0


@pytest.mark.kernels("6.12")
@pytest.mark.guest
@pytest.mark.once
def test_without_root_it_says_what_it_needs(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "kmsg_exporter", "run", f"--state-directory={tmp_path}"],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        user=65534,
    )
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 2
    assert "needs root" in refused.stderr


@pytest.mark.kernels("6.12")
@pytest.mark.once
def test_tracefs_that_is_mounted_after_the_start_is_used(tmp_path: Path) -> None:
    folder = tmp_path / "tracing"
    folder.mkdir()
    with running(tmp_path / "agent", "auto", f"--path.tracefs={folder}") as agent:
        assert agent.value("kmsg_exporter_backend_info", backend="state") == 1
        subprocess.run(["mount", "-t", "tracefs", "nodev", folder], check=True)
        try:
            eventually(lambda: agent.value("kmsg_exporter_backend_info", backend="state") is None)
            assert agent.is_ready()
            assert ours_in_tracefs() != []
            agent.stop()
            assert ours_in_tracefs() == []
        finally:
            agent.close()
            subprocess.run(["umount", folder], check=True)
