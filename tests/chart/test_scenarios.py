"""Every scenario in ci/ under lint and template, its manifests held to each Kubernetes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from charts import CHART, EVERYTHING, SCENARIOS, Helm, Manifest, kinds, one
from schemas import FOREIGN, kubernetes_versions, validate

AGENT = ["DaemonSet", "Pod", "Service", "ServiceAccount"]
KINDS = {
    "default": AGENT,
    "privileged": AGENT,
    "push-secret": ["DaemonSet", "NetworkPolicy", "Pod", "Service", "ServiceAccount"],
    "collector": ["DaemonSet", "NetworkPolicy", "Pod", "Service", "ServiceAccount", "StatefulSet"],
    "no-tracefs": AGENT,
    "openshift": [
        "DaemonSet",
        "Pod",
        "PodMonitor",
        "SecurityContextConstraints",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    ],
    "everything": [
        "ConfigMap",
        "DaemonSet",
        "NetworkPolicy",
        "Pod",
        "PodMonitor",
        "PrometheusRule",
        "SecurityContextConstraints",
        "Service",
        "ServiceAccount",
        "StatefulSet",
    ],
}
scenarios = pytest.mark.parametrize("values", SCENARIOS, ids=lambda path: path.name.removesuffix("-values.yaml"))


@scenarios
def test_lint_has_nothing_to_say(helm: Helm, values: Path) -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in helm.run("lint", "--strict", CHART, f"--values={values}")


@scenarios
def test_a_scenario_renders_its_kinds_and_no_other(helm: Helm, values: Path) -> None:
    assert kinds(helm.template(values=values)) == KINDS[values.name.removesuffix("-values.yaml")]


@scenarios
def test_every_kubernetes_accepts_every_manifest(helm: Helm, values: Path, crds: Path) -> None:
    for kubernetes in kubernetes_versions():
        for manifest in helm.template(values=values, kubernetes=kubernetes):
            validate(manifest, kubernetes, crds)


def test_kubernetes_from_1_28_to_the_newest_known_is_tried() -> None:
    versions = kubernetes_versions()
    assert versions[0] == "1.28"
    assert len(versions) >= 10


def test_a_kubernetes_too_old_is_refused(helm: Helm) -> None:
    from charts import HelmError

    with pytest.raises(HelmError, match=r"kubeVersion: >=1\.28\.0-0"):
        helm.template(kubernetes="1.27")


def test_an_unknown_field_of_any_kind_is_found(helm: Helm, crds: Path) -> None:
    """The validators can fail: what the tests above hold means something."""
    rendered = [*helm.template(values=EVERYTHING), _service_monitor(helm)]
    assert set(FOREIGN) < {manifest["kind"] for manifest in rendered}
    for manifest in rendered:
        section = "spec" if "spec" in manifest else "metadata" if manifest["kind"] in KINDS["default"] else None
        broken = {**manifest, "nobodyKnows": 1}
        if section == "spec":
            broken = {**manifest, "spec": {**manifest["spec"], "nobodyKnows": 1}}
        with pytest.raises(Exception, match="nobodyKnows"):
            validate(broken, "1.32", crds)


def test_a_service_monitor_is_valid_too(helm: Helm, crds: Path) -> None:
    validate(_service_monitor(helm), "1.32", crds)


def test_promtool_accepts_the_prometheus_rule(helm: Helm, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "tests/setup.sh installs it"
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump(one(helm.template(values=EVERYTHING), "PrometheusRule")["spec"]))
    subprocess.run([promtool, "check", "rules", rules], check=True, timeout=60)


def _service_monitor(helm: Helm) -> Manifest:
    settings = (
        "serviceMonitor.enabled=true",
        "serviceMonitor.interval=15s",
        "serviceMonitor.sampleLimit=100",
        "serviceMonitor.attachMetadata.node=true",
        "cluster.name=production",
    )
    return one(helm.template(settings), "ServiceMonitor")
