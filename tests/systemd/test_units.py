"""Both units for real, under systemd as process 1. Runs in a guest: see boot.sh."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from node import (
    AGENT,
    COLLECTOR,
    PACKAGE,
    SRV,
    empty_the_log,
    events,
    eventually,
    get,
    in_tracefs,
    journal,
    metric,
    run,
    show,
    state,
)

DEFAULTS = Path("/etc/default/kmsg-exporter")
CLEARS = 'kmsg_clears_total{action="clear",comm="dmesg",exe="/usr/bin/dmesg"}'
BEFORE: dict[str, str] = {}  # tracefs as it was before the agent first ran


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    run("systemctl", "start", "sys-kernel-tracing.mount")
    BEFORE.update(in_tracefs())
    run("dpkg", "--install", PACKAGE)


@pytest.fixture(autouse=True)
def _running() -> Iterator[None]:
    """Each test finds the agent running, as it comes from the package."""
    run("systemctl", "reset-failed", AGENT)
    run("systemctl", "start", AGENT)
    before = DEFAULTS.read_text()
    yield
    DEFAULTS.write_text(before)


def configure(text: str) -> None:
    DEFAULTS.write_text(f"{DEFAULTS.read_text()}\n{text}\n")
    run("systemctl", "restart", AGENT)


def sequences() -> list[int]:
    """Of each emptying that the agent has told in the journal."""
    return [int(number) for number in re.findall(r"event=kmsg\.emptied .*?sequence=(\d+)", journal(AGENT))]


def test_unit_files_are_without_a_warning() -> None:
    assert run("systemd-analyze", "verify", AGENT, COLLECTOR) == ""


def test_agent_is_active_after_it_said_that_it_is_ready() -> None:
    assert state(AGENT) == "enabled active"
    assert show(AGENT, "Type") == "notify"
    assert show(AGENT, "StatusText") != ""
    assert "Started kmsg-exporter.service" in journal(AGENT)
    assert get("/-/ready") == "ready\n"


def test_agent_has_two_capabilities_and_can_gain_none() -> None:
    status = Path("/proc", show(AGENT, "MainPID"), "status").read_text()
    assert re.findall(r"^(?:CapBnd|CapEff):\t(\w+)$", status, re.MULTILINE) == [f"{1 << 34 | 1 << 19:016x}"] * 2
    assert "NoNewPrivs:\t1\n" in status


def test_who_clears_the_log_is_named_and_what_is_hidden_is_counted() -> None:
    told = len(sequences())
    before = float(metric(CLEARS) or 0)
    empty_the_log("something to hide")
    eventually(lambda: float(metric(CLEARS) or 0) == before + 1)
    eventually(lambda: len(sequences()) == told + 1)
    assert float(metric("kmsg_hidden_records") or 0) > 0  # known only by /dev/kmsg, which the unit allows
    assert "exe=/usr/bin/dmesg" in journal(AGENT)


def test_restart_goes_on_where_the_state_directory_stopped() -> None:
    told = len(sequences())
    empty_the_log("before the restart")
    before = eventually(lambda: len(sequences()) > told and sequences())
    process = show(AGENT, "MainPID")
    run("systemctl", "restart", AGENT)
    assert show(AGENT, "MainPID") != process
    empty_the_log("after the restart")
    after = eventually(lambda: len(sequences()) > len(before) and sequences())
    assert after[-1] == before[-1] + 1
    directory = Path("/var/lib/kmsg-exporter")
    assert (directory.stat().st_mode & 0o777, (directory / "spool.sqlite3").stat().st_mode & 0o777) == (0o700, 0o600)


def test_stop_leaves_nothing_in_tracefs() -> None:
    assert in_tracefs() != BEFORE
    run("systemctl", "stop", AGENT)
    assert in_tracefs() == BEFORE
    assert show(AGENT, "Result") == "success"
    assert [path.name for path in Path("/run/kmsg-exporter").iterdir() if "sock" in path.name] == []


def test_unit_mounts_tracefs() -> None:
    run("systemctl", "stop", AGENT)
    run("systemctl", "stop", "sys-kernel-tracing.mount")
    assert list(Path("/sys/kernel/tracing").iterdir()) == []
    run("systemctl", "start", AGENT)
    assert metric('kmsg_exporter_backend_info{backend="kprobe"}') == "1.0"


def test_hung_reader_is_killed_by_the_watchdog_and_started_anew() -> None:
    process, restarts = show(AGENT, "MainPID"), int(show(AGENT, "NRestarts"))
    with subprocess.Popen([sys.executable, Path(__file__).parent / "hang.py", process], stdout=subprocess.PIPE) as hang:
        assert hang.stdout is not None
        assert hang.stdout.readline() == b"hangs\n"
        assert get("/-/healthy") == "healthy\n"  # the other threads live on
        assert show(AGENT, "MainPID") == process
        eventually(lambda: int(show(AGENT, "NRestarts")) == restarts + 1)
    eventually(lambda: state(AGENT) == "enabled active")
    said = journal(AGENT)
    assert "kmsg-exporter.service: Watchdog timeout (limit 30s)!" in said
    assert "kmsg-exporter.service: Failed with result 'watchdog'." in said
    assert "Fatal Python error: Aborted" in said  # and then the stack of each thread
    assert show(AGENT, "MainPID") != process
    before = float(metric(CLEARS) or 0)
    empty_the_log("after the hang")
    eventually(lambda: float(metric(CLEARS) or 0) == before + 1)


def test_killed_agent_is_started_anew() -> None:
    process = show(AGENT, "MainPID")
    run("kill", "-KILL", process)
    eventually(lambda: show(AGENT, "MainPID") not in (process, "0") and state(AGENT) == "enabled active")


def test_wrong_option_is_told_and_not_tried_again() -> None:
    with pytest.raises(AssertionError, match=r"Job for kmsg-exporter\.service failed"):
        configure("KMSG_EXPORTER_WEB_MAX_REQUESTS=many")
    assert (show(AGENT, "ActiveState"), show(AGENT, "ExecMainStatus"), show(AGENT, "NRestarts")) == ("failed", "2", "0")
    assert "KMSG_EXPORTER_WEB_MAX_REQUESTS" in journal(AGENT)


def test_option_given_many_times_takes_one_value_a_line() -> None:
    configure("KMSG_EXPORTER_EXPECTED='origin=nightly-ci.sh\ncomm=dmesg'")
    empty_the_log("as declared")
    eventually(lambda: 'expected="true"' in get("/metrics"))


def test_collector_has_a_user_of_its_own_and_keeps_what_the_agent_sends() -> None:
    assert state(COLLECTOR) == "disabled inactive"
    run("systemctl", "start", COLLECTOR)
    status = Path("/proc", show(COLLECTOR, "MainPID"), "status").read_text()
    owner = int(re.findall(r"^Uid:\t(\d+)", status, re.MULTILINE)[0])
    assert 61184 <= owner <= 65519  # what systemd gives to DynamicUser=
    assert re.findall(r"^(?:CapBnd|CapEff):\t(\w+)$", status, re.MULTILINE) == [f"{0:016x}"] * 2
    configure("KMSG_EXPORTER_PUSH_ENDPOINT=http://127.0.0.1:4318")
    empty_the_log("for the collector")
    sent = eventually(events)
    run("systemctl", "restart", COLLECTOR)
    assert [event for event in events() if event in sent] == sent
    run("systemctl", "stop", COLLECTOR)
    assert show(COLLECTOR, "Result") == "success"


@pytest.mark.parametrize("unit", [AGENT, COLLECTOR])
def test_exposure_is_not_more_than_the_readme_says(unit: str) -> None:
    found = re.search(
        r"Overall exposure level for \S+: ([\d.]+)", run("systemd-analyze", "security", "--no-pager", unit)
    )
    assert found is not None
    print(f"{unit}: {found[1]}")
    said = re.search(rf"`{re.escape(unit)}` ([\d.]+)", (SRV / "README.md").read_text())
    assert said is not None, f"the README does not say: `{unit}` {found[1]}"
    assert float(found[1]) <= float(said[1])
