"""The image under runc, with the settings that the chart renders, on a node that is this guest."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from containers import COLLECTOR, METRICS, Container, backend, events, run, running, samples
from support import TRACEFS, eventually, ours_in_tracefs, printk

CLEANUP = "#!/bin/sh\ndmesg -C\nexit 0\n"
TIDY = "deca1f" + 29 * "b2"
TIDY_POD = "5f0c7be2-3b3f-4f6e-9d0a-6d8b7a4f2c11"


@pytest.fixture(scope="module", autouse=True)
def _collector() -> Iterator[None]:
    with running("collector", COLLECTOR) as collector:
        yield
        assert collector.stop() == 0


@pytest.fixture(scope="module")
def agent() -> Iterator[Container]:
    with running("agent", METRICS) as one:
        yield one


@pytest.fixture(scope="module")
def cleanup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("node") / "cleanup.sh"
    script.write_text(CLEANUP)
    script.chmod(0o755)
    return script


def cleared_by(what: list[str]) -> dict[str, Any]:
    """Put a line into the log, let this clear it, and give the one event that the collector then has more."""
    before = len(events())
    printk("a line to be hidden")
    eventually(lambda: ({}, 0) in samples("kmsg_empty"), why="the agent has seen a log that is not empty")
    subprocess.run(what, check=True)
    return eventually(lambda: events()[before:], why="the event is at the collector")[0]


def test_the_agent_has_two_capabilities_no_new_ones_and_a_filter(agent: Container) -> None:
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{agent.pid}/status").read_text().splitlines())
    names = ("CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    two = f"{1 << 34 | 1 << 19:016x}"  # CAP_SYSLOG and CAP_SYS_PTRACE
    assert [status[name] for name in names] == [two, two, two, 16 * "0", "1", "2"]


def test_the_agents_root_is_read_only(agent: Container) -> None:
    code = "import os; print([os.access(path, os.W_OK) for path in ('/', '/opt', '/etc', '/proc/sys/kernel/printk')])"
    assert agent.execute(code) == "[False, False, False, False]"


def test_the_agent_may_not_open_the_log_of_the_node(agent: Container) -> None:
    code = "import errno, os\ntry: os.open({!r}, 0)\nexcept OSError as exc: print(errno.errorcode[exc.errno])"
    assert agent.execute(code.format("/dev/kmsg")) == "ENOENT"
    assert agent.execute(code.format("/proc/1/root/dev/kmsg")) == "EPERM"


@pytest.mark.usefixtures("agent")
def test_the_agent_traces_by_kprobes() -> None:
    assert backend() == "kprobe"


@pytest.mark.usefixtures("agent")
def test_the_actor_of_a_clear_on_the_node_is_named(cleanup: Path) -> None:
    event = cleared_by([str(cleanup)])
    attributes = event["attributes"]

    assert (event["node"], event["comm"], event["exe"], event["origin"]) == (
        *("guest", "dmesg", "/usr/bin/dmesg", "cleanup.sh"),
    )
    ancestors = [ancestor.split(" ", 1)[1] for ancestor in attributes["kmsg.process.ancestors"]]
    assert ancestors[0].split()[0] == "cleanup.sh"
    assert ancestors[-1].split()[0] == "init"
    assert not {"kmsg.process.container.id", "kmsg.process.pod.uid"} & attributes.keys()
    assert event["resource"]["host.id"] == "0123456789abcdef0123456789abcdef"
    assert event["resource"]["k8s.node.name"] == "guest"
    assert ({"comm": "dmesg", "exe": "/usr/bin/dmesg", "action": "clear"}, 1) in samples("kmsg_clears_total")
    origins = [(labels["comm"], labels["origin"], value) for labels, value in samples("kmsg_clears_by_origin_total")]
    assert ("dmesg", "cleanup.sh", 1) in origins


@pytest.mark.usefixtures("agent")
def test_the_actor_of_a_clear_in_another_container_is_named_with_its_pod() -> None:
    before = len(events())
    printk("a line to be hidden")
    assert run("tidy") == 0
    event = eventually(lambda: events()[before:], why="the event is at the collector")[0]
    attributes = event["attributes"]

    assert (event["comm"], event["exe"], event["origin"]) == ("dmesg", "/usr/bin/dmesg", "nightly.sh")
    assert attributes["kmsg.action"] == "read_clear"
    assert attributes["kmsg.process.container.id"] == TIDY
    assert attributes["kmsg.process.pod.uid"] == TIDY_POD
    assert ({"comm": "dmesg", "exe": "/usr/bin/dmesg", "action": "read_clear"}, 1) in samples("kmsg_clears_total")


def test_what_needs_the_device_is_absent_and_said(agent: Container) -> None:
    assert samples("kmsg_hidden_records") == []
    doctor = ["runc", "exec", agent.id, "kmsg-exporter", "doctor", "--path.etc=/proc/1/root/etc"]
    said = subprocess.run(doctor, stdout=subprocess.PIPE, text=True, check=False)
    assert "-    /dev/kmsg            /dev/kmsg: there is no such device here" in said.stdout.splitlines()
    assert said.returncode == 0


def test_a_stopped_agent_leaves_nothing_in_tracefs(agent: Container) -> None:
    assert agent.stop() == 0
    assert ours_in_tracefs() == []


def test_the_privileged_agent_counts_the_hidden_records(cleanup: Path) -> None:
    with running("privileged", METRICS) as privileged:
        event = cleared_by([str(cleanup)])

        assert event["comm"] == "dmesg"
        assert event["attributes"]["kmsg.hidden.records"] >= 1
        assert sum(value for _, value in samples("kmsg_hidden_records")) > 0
        assert privileged.stop() == 0
    assert ours_in_tracefs() == []


def test_without_tracing_the_emptying_is_told_without_an_actor(cleanup: Path) -> None:
    with running("no-tracing", METRICS) as agent:
        assert backend() == "state"
        event = cleared_by([str(cleanup)])

        assert (event["comm"], event["exe"]) == ("", "")
        assert agent.stop() == 0


def test_tracefs_that_the_node_mounts_later_is_seen_and_used(cleanup: Path) -> None:
    subprocess.run(["umount", TRACEFS], check=True)
    try:
        with running("agent", METRICS) as agent:
            assert backend() == "state"
            assert "tracefs" in agent.log()
            assert cleared_by([str(cleanup)])["comm"] == ""

            subprocess.run(["mount", "-t", "tracefs", "nodev", TRACEFS], check=True)
            eventually(lambda: agent.execute("import os; print(os.path.exists('/sys/kernel/tracing/trace'))") == "True")
            eventually(lambda: backend() == "kprobe", why=f"the agent traces; its log: {agent.log()[-2000:]}")
            event = cleared_by([str(cleanup)])

            assert (event["comm"], event["exe"], event["origin"]) == ("dmesg", "/usr/bin/dmesg", "cleanup.sh")
            assert agent.stop() == 0
        assert ours_in_tracefs() == []
    finally:
        if not (TRACEFS / "trace").exists():
            subprocess.run(["mount", "-t", "tracefs", "nodev", TRACEFS], check=True)
