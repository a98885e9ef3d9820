"""The plain manifests under a real kustomize."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts import ROOT, Manifest, container, kinds, one
from schemas import kubernetes_versions, validate

pytestmark = pytest.mark.kustomize
KUBERNETES = ROOT / "deploy" / "kubernetes"


def build(folder: Path) -> list[Manifest]:
    command = [os.environ["KMSG_KUSTOMIZE"], "build", "--load-restrictor=LoadRestrictionsNone", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def test_the_base_builds() -> None:
    assert kinds(build(KUBERNETES)) == ["DaemonSet", "Namespace", "Service", "ServiceAccount"]


def test_the_readmes_overlay_builds_and_sets_what_it_says(tmp_path: Path, crds: Path) -> None:
    base = Path(os.path.relpath(KUBERNETES, tmp_path))
    (tmp_path / "kustomization.yaml").write_text(overlay().replace("../deploy/kubernetes", str(base)))
    built = build(tmp_path)
    for manifest in built:
        validate(manifest, kubernetes_versions()[-1], crds)
    assert {"StatefulSet", "PodMonitor", "PrometheusRule"} < set(kinds(built))
    environment: dict[str, Any] = {v["name"]: v.get("value") for v in container(one(built, "DaemonSet"))["env"]}
    assert environment == {
        "NODE_NAME": None,
        "KMSG_EXPORTER_CLUSTER_NAME": "production-eu",
        "KMSG_EXPORTER_PUSH_ENDPOINT": "http://kmsg-exporter-collector:4318",
    }
    assert one(built, "Service", "kmsg-exporter-collector")["metadata"]["namespace"] == "kmsg-exporter"
    (endpoint,) = one(built, "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["relabelings"][-1] == {"targetLabel": "cluster", "replacement": "production-eu"}
    for kind in ("PodMonitor", "PrometheusRule"):
        assert one(built, kind)["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    for kind in ("DaemonSet", "StatefulSet"):
        assert container(one(built, kind))["image"] == "registry.example.org/kmsg-exporter:0.1.0"


def overlay() -> str:
    """The example in the README."""
    return (KUBERNETES / "README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
