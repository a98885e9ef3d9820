"""A release of the chart from its install to its end, in order: each test goes on where the one before has ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import DEADLINE_SECONDS, RELEASE, TOP, Json, Namespace, call, eventually, helm, kubectl

WAIT = ("--wait", f"--timeout={DEADLINE_SECONDS:g}s")
PODS = Path(__file__).parent / "pods.yaml"
PRINT = "import os; os.write(os.open('/dev/kmsg', os.O_WRONLY), b'a line to be hidden')"
# In the node's mount namespace, where its own dmesg is: the kubelet's, as process 1 has another in a nested cluster.
CLEAR_NODE = """
import ctypes, os, subprocess
open('/proc/self/comm', 'w').write('node-cleanup')
libc = ctypes.CDLL(None, use_errno=True)
names = {pid: open(f'/proc/{pid}/comm').read().strip() for pid in os.listdir('/proc') if pid.isdigit()}
node = next((pid for pid, name in names.items() if name == 'kubelet'), '1')
if libc.setns(os.open(f'/proc/{node}/ns/mnt', os.O_RDONLY), 0):
    raise OSError(ctypes.get_errno(), 'setns')
subprocess.run(['/usr/bin/dmesg', '-C'], check=True)
"""
CLEAR_TENANT = """
import ctypes
open('/proc/self/comm', 'w').write('tenant-cleanup')
libc = ctypes.CDLL(None, use_errno=True)
if libc.klogctl(5, None, 0):
    raise OSError(ctypes.get_errno(), 'klogctl')
"""
OURS = """
import os
tracing = '/sys/kernel/tracing'
found = [name for name in os.listdir(tracing + '/instances') if name.startswith('kmsg_exporter')]
if os.path.exists(tracing + '/kprobe_events'):
    found += [line for line in open(tracing + '/kprobe_events').read().splitlines() if ':kmsg_exporter/' in line]
print(found, os.path.isdir('/host/var/lib/kmsg-exporter'))
"""


@pytest.fixture(scope="module")
def others() -> Iterator[Namespace]:
    """Those who clear: pods in a namespace of their own."""
    namespace = Namespace("kmsg-test-others", "privileged")
    try:
        yield namespace
    finally:
        kubectl("delete", "namespace", namespace.name, f"--timeout={DEADLINE_SECONDS:g}s")


@pytest.fixture(scope="module")
def release() -> Iterator[Namespace]:
    namespace = Namespace("kmsg-test", "privileged")
    try:
        yield namespace
    finally:
        namespace.delete()


@pytest.fixture(scope="module")
def node(release: Namespace, others: Namespace) -> str:
    """The node on which the log is cleared."""
    image = release.get("daemonsets")[0]["spec"]["template"]["spec"]["containers"][0]["image"]
    others.apply(PODS.read_text().replace("IMAGE", image))
    kubectl(
        "-n", others.name, "wait", "--for=condition=Ready", "pod/node", "pod/tenant", f"--timeout={DEADLINE_SECONDS:g}s"
    )
    return str(pod(others, "node")["spec"]["nodeName"])


def pod(namespace: Namespace, name: str) -> Json:
    return next(pod for pod in namespace.get("pods") if pod["metadata"]["name"] == name)


def cleared(release: Namespace, others: Namespace, node: str, who: str) -> Json:
    """Put a line into the node's log, let this pod clear it, and give the event that the collector then has more."""
    before = len(release.events())
    others.python("node", PRINT)
    eventually(lambda: ({}, 0) in release.samples(node, "kmsg_empty"), "the agent has seen a log that is not empty")
    others.python(who, {"node": CLEAR_NODE, "tenant": CLEAR_TENANT}[who])
    return eventually(lambda: release.events()[before:], "the event is at the collector")[0]


def ready(release: Namespace) -> list[Json]:
    """The daemon sets' states, once all their pods are ready."""
    states = [daemonset["status"] for daemonset in release.get("daemonsets")]
    return [state for state in states if state["numberReady"] == state["desiredNumberScheduled"]]


def container_id(pod: Json) -> str:
    return str(pod["status"]["containerStatuses"][0]["containerID"]).partition("://")[2]


def test_the_chart_is_installed_and_its_pods_become_ready(release: Namespace) -> None:
    installed = helm("install", release.name, *WAIT, "--set=collector.enabled=true")

    assert installed.returncode == 0, installed.stderr
    # Helm waits for all but what an update may take away at a time: on one node that is none
    (status,) = eventually(lambda: ready(release), "the agents are ready")
    assert status["desiredNumberScheduled"] >= 1
    assert "NO AGENT WILL RUN" not in installed.stdout


def test_helm_test_finds_an_agent(release: Namespace) -> None:
    tested = helm("test", release.name, "--logs")

    assert "An agent answers at http://kmsg-exporter.kmsg-test.svc:10144/metrics" in tested.stdout, tested.stderr
    assert tested.returncode == 0


def test_a_clear_on_the_node_is_named_in_the_metrics_and_at_the_collector(
    release: Namespace, others: Namespace, node: str
) -> None:
    event = cleared(release, others, node, "node")

    named = (event["node"], event["comm"], event["exe"], event["origin"])
    assert named == (node, "dmesg", "/usr/bin/dmesg", "node-cleanup")
    assert event["resource"]["k8s.node.name"] == node
    assert "k8s.cluster.name" not in event["resource"]
    clears = release.samples(node, "kmsg_clears_total")
    assert ({"comm": "dmesg", "exe": "/usr/bin/dmesg", "action": "clear"}, 1) in clears


def test_a_clear_in_a_pod_is_named_with_the_pod(release: Namespace, others: Namespace, node: str) -> None:
    event = cleared(release, others, node, "tenant")

    tenant = pod(others, "tenant")
    assert event["comm"] == "tenant-cleanup", event
    assert Path(event["exe"]).name.startswith("python3")
    assert event["attributes"]["kmsg.process.pod.uid"] == tenant["metadata"]["uid"]
    assert event["attributes"]["kmsg.process.container.id"] == container_id(tenant)
    labels = {"comm": "tenant-cleanup", "exe": event["exe"], "action": "clear"}
    assert (labels, 1) in release.samples(node, "kmsg_clears_total")


def test_after_an_upgrade_events_have_what_it_changed(release: Namespace, others: Namespace, node: str) -> None:
    values = ("--set=collector.enabled=true", "--set=cluster.name=test-west", "--set=expected={origin=node-cleanup}")
    upgraded = helm("upgrade", release.name, *WAIT, *values)
    assert upgraded.returncode == 0, upgraded.stderr

    event = cleared(release, others, node, "node")

    assert event["comm"] == "dmesg"
    assert event["resource"]["k8s.cluster.name"] == "test-west"
    assert event["attributes"]["kmsg.expected"] is True


def test_after_a_rollback_events_are_as_before(release: Namespace, others: Namespace, node: str) -> None:
    back = helm("rollback", release.name, "1", *WAIT)
    assert back.returncode == 0, back.stderr

    event = cleared(release, others, node, "node")

    assert event["comm"] == "dmesg"
    assert "k8s.cluster.name" not in event["resource"]
    assert event["attributes"]["kmsg.expected"] is False


@pytest.mark.usefixtures("node")
def test_after_an_uninstall_tracefs_is_clean_and_the_state_directory_stays(
    release: Namespace, others: Namespace
) -> None:
    assert others.python("node", OURS).endswith("True")
    removed = helm("uninstall", release.name, *WAIT)
    assert removed.returncode == 0, removed.stderr
    eventually(
        lambda: not [pod for pod in release.get("pods") if "test" not in pod["metadata"]["name"]], "no pod is left"
    )

    assert others.python("node", OURS) == "[] True"


@pytest.mark.usefixtures("node")
def test_the_documented_command_removes_the_state_directory(others: Namespace) -> None:
    readme = (TOP / "deploy" / "kubernetes" / "README.md").read_text()
    (command,) = (line for line in readme.splitlines() if line.startswith("kubectl") and "remove-state.yaml" in line)

    ended = call("sh", "-c", f"cd '{TOP}' && {command}")

    assert ended.returncode == 0, ended.stderr
    assert others.python("node", OURS) == "[] False"
    assert kubectl("-n", "kube-system", "get", "daemonsets", "-l", "app.kubernetes.io/part-of=kmsg-exporter") == ""


def test_in_a_restricted_namespace_the_install_succeeds_and_says_that_no_pod_comes() -> None:
    namespace = Namespace("kmsg-test-restricted", "restricted")
    try:
        installed = helm("install", namespace.name, "--set=test.timeoutSeconds=5")
        assert installed.returncode == 0, installed.stderr
        assert (
            'NO AGENT WILL RUN: namespace kmsg-test-restricted enforces the Pod Security level "restricted"'
            in installed.stdout
        )
        eventually(
            lambda: [event for event in namespace.get("events") if event["reason"] == "FailedCreate"],
            "Pod Security has refused the agent's pod",
        )
        assert namespace.get("pods", "-l", f"app.kubernetes.io/name={RELEASE}") == []

        tested = helm("test", namespace.name, "--logs")

        assert tested.returncode != 0
        assert "No agent answers at http://kmsg-exporter.kmsg-test-restricted.svc:10144/metrics" in tested.stdout
        assert 'enforces the Pod Security level "restricted"' in tested.stdout
        assert "Remedy: kubectl label --overwrite namespace kmsg-test-restricted" in tested.stdout
    finally:
        namespace.delete()
