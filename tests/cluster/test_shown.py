"""The commands that the pages show for a cluster, word for word.

Of ours is only what no page can know: CHART_ARGS, and a collector without a volume. It comes after test_release.py,
which needs the only volume of a cluster that was started here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import pytest
from cluster import TOP, call, eventually, kubectl

INSTALL = "helm -n kmsg-exporter install kmsg-exporter helm/kmsg-exporter --set collector.enabled=true"
REGISTRY = "--set image.registry=registry.example.org,image.repository=kmsg-exporter,image.tag=0.1.0"
UPGRADE = "helm -n kmsg-exporter upgrade kmsg-exporter helm/kmsg-exporter -f my-values.yaml"
OURS = f"--set=collector.persistence.enabled=false {os.environ.get('CHART_ARGS', '')}"
REMOVE_STATE = (
    "kubectl -n kube-system apply -f deploy/kubernetes/remove-state.yaml"
    " && kubectl -n kube-system rollout status daemonset/kmsg-exporter-remove-state --timeout=5m"
    "; kubectl -n kube-system delete -f deploy/kubernetes/remove-state.yaml"
)
REFUSED = (
    'is forbidden: violates PodSecurity "baseline:latest": forbidden AppArmor profile '
    '(container "agent" must not set AppArmor profile type to "Unconfined"), non-default capabilities'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The checkout's folders, and the files that a person would have."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("helm", "deploy"):
        (folder / name).symlink_to(TOP / name)
    (folder / "my-values.yaml").write_text("cluster: {name: shown}\n")
    (folder / "web-config.yaml").write_text("basic_auth_users: {}\n")
    (folder / "tokens").write_text("token\n")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=shown -keyout tls.key -out tls.crt"
    run(make.split(), cwd=folder, check=True, capture_output=True)
    (folder / "ca.crt").write_bytes((folder / "tls.crt").read_bytes())
    yield folder
    kubectl("delete", "namespace", "kmsg-exporter", "--ignore-not-found", "--timeout=180s")
    kubectl("delete", "-k", str(TOP / "deploy" / "otel-collector"), "--ignore-not-found", "--timeout=180s")


def shell(folder: Path, command: str) -> str:
    """What it prints. Raises AssertionError when it fails."""
    path = f"{Path(sys.executable).parent}:$PATH"
    ended = call("sh", "-c", f"cd '{folder}' && PATH={path} && {command}")
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def test_without_its_namespace_helm_says_what_the_faq_quotes(folder: Path) -> None:
    with pytest.raises(AssertionError, match='create: failed to create: namespaces "kmsg-exporter" not found'):
        shell(folder, f"{INSTALL} {OURS}")


def test_helm_installs_tests_upgrades_rolls_back_and_removes(folder: Path) -> None:
    shell(folder, "kubectl create namespace kmsg-exporter")
    shell(folder, "kubectl label namespace kmsg-exporter pod-security.kubernetes.io/enforce=privileged")
    assert "NO AGENT WILL RUN" not in shell(folder, f"{INSTALL} {OURS}")
    shell(folder, "kubectl -n kmsg-exporter rollout status daemonset/kmsg-exporter")
    assert "An agent answers at" in shell(folder, "helm -n kmsg-exporter test kmsg-exporter --logs")
    shell(folder, f"{UPGRADE} {OURS}")
    shell(folder, "helm -n kmsg-exporter rollback kmsg-exporter")
    shell(folder, "helm -n kmsg-exporter uninstall kmsg-exporter")
    shell(folder, "kubectl -n kmsg-exporter delete pvc -l app.kubernetes.io/instance=kmsg-exporter")


def test_helm_takes_another_registry(folder: Path) -> None:
    rendered = shell(folder, f"{INSTALL} {REGISTRY} --dry-run=client")
    assert "registry.example.org/kmsg-exporter:0.1.0" in rendered


def test_secrets_are_made_of_files(folder: Path) -> None:
    shell(
        folder,
        "kubectl -n kmsg-exporter create secret generic kmsg-exporter-web --from-file=web-config.yaml"
        " --from-file=tls.crt --from-file=tls.key --from-file=ca.crt",
    )
    shell(
        folder,
        "kubectl -n kmsg-exporter create secret generic kmsg-exporter-scrape --from-literal=user=prometheus"
        " --from-literal=password=...",
    )
    shell(folder, "kubectl -n kmsg-exporter create secret tls kmsg-gateway-tls --cert=tls.crt --key=tls.key")
    shell(folder, "kubectl -n kmsg-exporter create secret generic kmsg-gateway-token --from-file=tokens")
    there = kubectl("-n", "kmsg-exporter", "get", "secrets", "-o", "name")
    assert {"secret/kmsg-exporter-web", "secret/kmsg-gateway-tls"} <= set(there.split())


def test_the_gateway_is_applied(folder: Path) -> None:
    assert "statefulset.apps/" in shell(folder, "kubectl apply -k deploy/otel-collector")


def test_the_manifests_run_agents_where_pod_security_was_mended(folder: Path) -> None:
    no_agent = "kubectl -n kmsg-exporter get pods -l app.kubernetes.io/name=kmsg-exporter -o name"
    eventually(lambda: shell(folder, no_agent) == "", "the release's agents are gone")
    kubectl("apply", "-k", str(TOP / "deploy" / "kubernetes"))
    kubectl("label", "--overwrite", "namespace", "kmsg-exporter", "pod-security.kubernetes.io/enforce=baseline")
    kubectl("-n", "kmsg-exporter", "delete", "pods", "-l", "app.kubernetes.io/name=kmsg-exporter")
    events = "kubectl -n kmsg-exporter get events --field-selector reason=FailedCreate"
    eventually(lambda: REFUSED in shell(folder, events), "Pod Security has refused the agent's pod, as the FAQ says")
    shell(folder, "kubectl label --overwrite namespace kmsg-exporter pod-security.kubernetes.io/enforce=privileged")
    shell(folder, "kubectl -n kmsg-exporter rollout restart daemonset/kmsg-exporter")
    shell(folder, "kubectl -n kmsg-exporter rollout status daemonset/kmsg-exporter")
    shell(folder, "kubectl apply -k deploy/kubernetes")
    shell(folder, "kubectl -n kmsg-exporter rollout status daemonset/kmsg-exporter")


def test_the_manifests_and_the_nodes_state_are_removed(folder: Path) -> None:
    shell(folder, "kubectl -n kmsg-exporter delete daemonset kmsg-exporter")
    shell(folder, "kubectl apply -k deploy/kubernetes")
    shell(folder, "kubectl delete -k deploy/kubernetes")
    shell(folder, REMOVE_STATE)
