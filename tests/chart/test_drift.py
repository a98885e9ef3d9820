"""What is made from something else is as it would be made now, and the plain manifests hold together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts import CHART, ROOT, Helm, container, one
from schemas import kubernetes_versions, validate

KUBERNETES = ROOT / "deploy" / "kubernetes"
SYNC = Path(__file__).with_name("sync.py")
FOLDERS = {
    ".": {"namespace.yaml", "serviceaccount.yaml", "service.yaml", "daemonset.yaml"},
    "collector": {"service.yaml", "statefulset.yaml"},
    "monitoring": {"podmonitor.yaml", "prometheusrule.yaml"},
}


def test_nothing_has_drifted() -> None:
    done = subprocess.run([sys.executable, SYNC, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


def test_the_chart_carries_rules_and_dashboards() -> None:
    assert [path.name for path in (CHART / "files" / "rules").iterdir()] == ["kmsg-exporter.rules.yaml"]
    assert list((CHART / "files" / "dashboards").glob("*.json"))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_kustomization_names_the_manifests_beside_it(folder: str) -> None:
    kustomization = load(KUBERNETES / folder / "kustomization.yaml")
    assert set(kustomization["resources"]) == FOLDERS[folder]
    patches = {patch["path"] for patch in kustomization.get("patches", [])}
    others = {"kustomization.yaml", "remove-state.yaml"} - patches
    assert {path.name for path in (KUBERNETES / folder).glob("*.yaml")} - patches - others == FOLDERS[folder]


def test_every_kubernetes_with_the_field_for_apparmor_accepts_the_manifests(crds: Path) -> None:
    paths = [KUBERNETES / folder / name for folder, names in FOLDERS.items() for name in names]
    for kubernetes in kubernetes_versions():
        if tuple(map(int, kubernetes.split("."))) >= (1, 30):
            for path in [*paths, KUBERNETES / "remove-state.yaml"]:
                validate(load(path), kubernetes, crds)


def test_the_namespace_lets_the_agent_in() -> None:
    namespace = load(KUBERNETES / "namespace.yaml")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert load(KUBERNETES / "daemonset.yaml")["metadata"]["namespace"] == namespace["metadata"]["name"]


def test_the_plain_agent_is_the_charts(helm: Helm) -> None:
    charts = one(helm.template(release="kmsg-exporter", namespace="kmsg-exporter"), "DaemonSet")
    plain = load(KUBERNETES / "daemonset.yaml")
    assert container(plain) == container(charts)
    assert plain["spec"]["selector"] == charts["spec"]["selector"]
    assert "Helm" not in (KUBERNETES / "daemonset.yaml").read_text()


def test_what_removes_the_state_removes_the_directory_and_nothing_else(tmp_path: Path) -> None:
    state = tmp_path / "kmsg-exporter"
    (state / "collector").mkdir(parents=True)
    (state / "spool.sqlite3").write_text("events")
    (tmp_path / "other").mkdir()
    assert remove(state).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    assert remove(state).returncode == 0


def test_what_removes_the_state_leaves_a_running_agents(tmp_path: Path) -> None:
    import os

    from kmsg_exporter.tracefs.lock import hold

    lock = hold(tmp_path, proc=Path("/proc"))
    try:
        done = remove(tmp_path)
    finally:
        os.close(lock)
    assert done.stderr == "an agent runs on this node: uninstall it first\n"
    assert done.returncode == 1
    assert tmp_path.exists()


def test_what_removes_the_state_is_of_this_release() -> None:
    spec = load(KUBERNETES / "remove-state.yaml")["spec"]["template"]["spec"]
    images = {part["image"] for part in (*spec["initContainers"], *spec["containers"])}
    assert images == {container(load(KUBERNETES / "daemonset.yaml"))["image"]}
    (agents,) = (
        v for v in load(KUBERNETES / "daemonset.yaml")["spec"]["template"]["spec"]["volumes"] if v["name"] == "state"
    )
    assert spec["initContainers"][0]["args"][-1] == f"/host{agents['hostPath']['path']}"


@pytest.mark.parametrize("page", [KUBERNETES / "README.md", CHART / "README.md"], ids=["kubernetes", "chart"])
def test_files_that_a_page_names_are_there(page: Path) -> None:
    for word in page.read_text().replace("`", " ").split():
        path = word.strip("().,:;[]").partition("](")[2] or word.strip("().,:;[]")
        if path.startswith(("deploy/", "helm/", "tests/", "docs/")):
            assert (ROOT / path).exists(), path


def remove(state: Path) -> subprocess.CompletedProcess[str]:
    """The command of remove-state.yaml with another directory."""
    program = load(KUBERNETES / "remove-state.yaml")["spec"]["template"]["spec"]["initContainers"][0]
    _, option = program["command"]
    command = [sys.executable, option, program["args"][0], str(state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())
