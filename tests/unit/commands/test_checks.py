"""What doctor says of backends: of one that is asked for, of one that is refused, beside an agent that runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_tracefs import FakeTracefs, Kernel

from kmsg_exporter.agent import place
from kmsg_exporter.commands import checks
from kmsg_exporter.commands.check import Check
from kmsg_exporter.config import Config
from kmsg_exporter.errors import AlreadyRunning, TracefsRejected
from kmsg_exporter.local import LocalServer
from kmsg_exporter.probes.plan import Attached
from kmsg_exporter.probes.state import StateBackend

ELSE = "--backend=auto takes the best that this kernel accepts"


def told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Any, attached: Attached | Exception
) -> tuple[list[Check], str | None]:
    def attach(_: Config) -> Attached:
        if isinstance(attached, Exception):
            raise attached
        return attached

    monkeypatch.setattr(place, "take", lambda *_: None)
    monkeypatch.setattr(checks, "attach", attach)
    return checks._backend(Config(backend=backend, runtime_directory=tmp_path), FakeTracefs(Kernel()))


@pytest.mark.parametrize(("backend", "remedy"), [("state", ELSE), ("auto", "")])
def test_a_backend_that_names_nobody_is_said_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, remedy: str
) -> None:
    assert told(tmp_path, monkeypatch, backend, Attached(StateBackend())) == (
        [Check("backend state", "missing", "it names nobody: it sees that the log was emptied", remedy)],
        "state",
    )


def test_a_backend_that_is_asked_for_and_refused_has_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = TracefsRejected("/t/available_filter_functions: Operation not permitted", errno=1)
    assert told(tmp_path, monkeypatch, "function", refused) == (
        [Check("backend function", "missing", "/t/available_filter_functions: Operation not permitted", ELSE)],
        None,
    )


@pytest.mark.parametrize(("backend", "noted"), [("auto", False), ("tracepoint", False), ("kprobe", True)])
def test_beside_an_agent_another_backend_is_said_not_to_be_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, noted: bool
) -> None:
    status = {"backend": "tracepoint", "probes": [], "pid": 812}
    running = Check("backend tracepoint", "ok", "in use by the agent that runs here (pid 812)")
    other = Check(
        "backend kprobe",
        "note",
        "not tried: the agent that runs here has tracepoint",
        "stop the agent first, and ask again",
    )
    with LocalServer(tmp_path / "agent.sock", {"status": lambda _: status}, client_seconds=30):
        found = told(tmp_path, monkeypatch, backend, AlreadyRunning("another"))
    assert found == ([running, *([other] if noted else [])], "tracepoint")


def test_what_the_kernel_has_is_said_of_one_thing_as_of_many() -> None:
    assert [check.found for check in checks._features(FakeTracefs(Kernel()))] == ["in this kernel"] * 3


def test_what_only_has_the_devices_name_is_no_way_to_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kmsg").symlink_to("/dev/null")
    monkeypatch.setattr(checks, "SyslogRing", lambda: SimpleNamespace(close=lambda: None))
    (device, syslog), seen = checks._ring(Config(path_dev=tmp_path))
    assert (device.verdict, device.found) == (
        "note",
        f"{tmp_path}/kmsg: not the kernel log's device but a link to /dev/null, as containers have it",
    )
    assert (syslog.verdict, seen) == ("ok", True)
