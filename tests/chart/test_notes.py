"""What a person reads after the install, as Helm renders it against an API server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from charts import CHART, Helm
from stub_cluster import cluster

ENFORCE = "pod-security.kubernetes.io/enforce"
NAMESPACES = {
    "open": {ENFORCE: "privileged"},
    "locked": {ENFORCE: "restricted"},
    "half": {ENFORCE: "baseline"},
    "plain": {"team": "a"},
}
DRY = ("--dry-run=server", "--disable-openapi-validation")
Notes = Callable[..., str]


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with cluster(tmp_path_factory.mktemp("cluster") / "config", NAMESPACES) as path:
        yield path


@pytest.fixture
def notes(helm: Helm, kubeconfig: Path) -> Notes:
    """The notes of an install into a namespace."""

    def render(*settings: str, namespace: str = "open") -> str:
        flags = [f"--set={setting}" for setting in settings]
        flags.append(f"--namespace={namespace}")
        return helm.run("install", "kmsg", CHART, *DRY, *flags, kubeconfig=kubeconfig).partition("\nNOTES:\n")[2]

    return render


def test_notes_say_what_to_do_next(notes: Notes) -> None:
    text = notes()
    assert "kubectl -n open rollout status daemonset/kmsg-kmsg-exporter" in text
    assert "helm -n open test kmsg --logs" in text
    assert "kubectl -n open exec daemonset/kmsg-kmsg-exporter -- kmsg-exporter doctor" in text
    assert "http://localhost:10144/metrics" in text
    assert "rate(kmsg_clears_total[5m]) > 0" in text
    assert "Prometheus does not scrape them yet: set podMonitor.enabled=true" in text
    assert (
        "Events stay on the nodes: set push.endpoint to an OpenTelemetry Collector, or collector.enabled=true." in text
    )
    assert "`helm uninstall` leaves /var/lib/kmsg-exporter on the nodes" in text
    assert "The command that removes it: https://github.com/" in text


@pytest.mark.parametrize(("namespace", "level"), [("locked", "restricted"), ("half", "baseline")])
def test_a_namespace_that_refuses_the_pods_comes_first(notes: Notes, namespace: str, level: str) -> None:
    text = notes(namespace=namespace)
    assert text.startswith(f'NO AGENT WILL RUN: namespace {namespace} enforces the Pod Security level "{level}".')
    assert f"kubectl label --overwrite namespace {namespace} {ENFORCE}=privileged" in text


def test_a_namespace_that_may_not_be_read_is_not_asked_for(notes: Notes) -> None:
    assert "NO AGENT WILL RUN" not in notes("podSecurity.lookup=false", namespace="locked")


def test_a_namespace_that_allows_them_needs_no_word_on_it(notes: Notes) -> None:
    text = notes()
    assert "NO AGENT WILL RUN" not in text
    assert "Pod Security" not in text


@pytest.mark.parametrize("namespace", ["plain", "not-there-yet"])
def test_of_a_namespace_without_a_level_notes_say_what_may_be(notes: Notes, namespace: str) -> None:
    text = notes(namespace=namespace)
    assert "NO AGENT WILL RUN" not in text
    assert "No pod comes? Pod Security refuses pods, not the DaemonSet." in text


@pytest.mark.parametrize(
    ("settings", "said", "unsaid"),
    [
        ((), ("how many records are hidden", "readers of users other than root", "forbids tracing", "SELinux"), ()),
        (("privileged=true",), ("forbids tracing",), ("how many records are hidden", "readers of users")),
        (
            ("containerSecurityContext.capabilities.add={SYSLOG,SYS_PTRACE,DAC_READ_SEARCH}",),
            ("how many records are hidden",),
            ("readers of users",),
        ),
        (("tracing.enabled=false",), ("tracing.enabled is false, only its state is watched",), ("forbids tracing",)),
        (("hostPID=false",), ("hostPID is false",), ("forbids tracing",)),
        (("containerSecurityContext.seLinuxOptions.type=spc_t",), ("forbids tracing",), ("SELinux",)),
    ],
    ids=["default", "privileged", "readers", "no tracing", "no host pids", "selinux"],
)
def test_notes_say_what_this_installation_can_not_see(
    notes: Notes, settings: tuple[str, ...], said: tuple[str, ...], unsaid: tuple[str, ...]
) -> None:
    text = notes(*settings).partition("What this installation can't see:")[2]
    assert "clears inside the kernel" in text
    for words in said:
        assert words in text
    for words in unsaid:
        assert words not in text


def test_notes_say_where_events_go(notes: Notes) -> None:
    assert "Events go to http://otel:4318." in notes("push.endpoint=http://otel:4318")
    text = notes("collector.enabled=true", "collector.persistence.enabled=false")
    assert "Events go to http://kmsg-kmsg-exporter-collector.open.svc:4318." in text
    assert "port-forward service/kmsg-kmsg-exporter-collector 4318" in text
    assert "Its events are gone with its pod" in text


def test_the_test_pod_is_told_the_level(helm: Helm, kubeconfig: Path) -> None:
    shown = "--show-only=templates/tests/test-connection.yaml"
    for namespace, last in (("locked", "- restricted"), ("plain", "- kmsg-kmsg-exporter")):
        text = helm.run(
            "template", "kmsg", CHART, *DRY, f"--namespace={namespace}", shown, kubeconfig=kubeconfig
        ).partition("      terminationMessagePolicy:")[0]
        assert text.rstrip().endswith(last)
