"""The chart under real Helm."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "kmsg-exporter"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
EVERYTHING = CHART / "ci" / "everything-values.yaml"
Manifest = dict[str, Any]


class HelmError(Exception):
    """What Helm says when it refuses."""


def _program() -> Path:
    return Path(os.environ.get("KMSG_HELM", Path(sys.executable).with_name("helm")))


@dataclass(frozen=True)
class Helm:
    """One Helm program: $KMSG_HELM, else the one of the virtual environment. What is rendered twice is kept."""

    program: Path = field(default_factory=_program)
    _rendered: dict[tuple[str, ...], list[Manifest]] = field(default_factory=dict)

    def run(self, *arguments: str | Path, kubeconfig: Path | None = None) -> str:
        """Raises HelmError with what it says."""
        with tempfile.TemporaryDirectory() as home:  # nothing of the user's own configuration or plugins
            environ = {"PATH": os.environ["PATH"], "HOME": home, "KUBECONFIG": str(kubeconfig or "/dev/null")}
            done = subprocess.run(
                [self.program, *arguments], capture_output=True, text=True, timeout=60, env=environ, check=False
            )
        if done.returncode:
            raise HelmError(done.stderr)
        return done.stdout

    def template(
        self,
        settings: Sequence[str] = (),
        *,
        values: Path | None = None,
        chart: Path = CHART,
        release: str = "kmsg",
        namespace: str = "monitoring",
        kubernetes: str = "1.32",
    ) -> list[Manifest]:
        """The rendered manifests. `settings` are as for --set, or for --set-json when the value is JSON."""
        arguments = ["template", release, str(chart), f"--namespace={namespace}", f"--kube-version={kubernetes}"]
        arguments += [f"--values={values}"] if values else []
        for setting in settings:
            _, _, value = setting.partition("=")
            as_json = value[:1] in ("[", "{", '"')
            arguments.append(f"--set-json={setting}" if as_json else f"--set={setting}")
        key = tuple(arguments)
        if key not in self._rendered:
            self._rendered[key] = [manifest for manifest in yaml.safe_load_all(self.run(*arguments)) if manifest]
        return self._rendered[key]


def one(manifests: Sequence[Manifest], kind: str, name: str | None = None) -> Manifest:
    """The only manifest of a kind (and name)."""
    (found,) = (m for m in manifests if m["kind"] == kind and name in (None, m["metadata"]["name"]))
    return found


def kinds(manifests: Sequence[Manifest]) -> list[str]:
    return sorted({manifest["kind"] for manifest in manifests})


def pod(manifest: Manifest) -> Manifest:
    """The pod's spec of a workload."""
    spec: Manifest = manifest["spec"]
    return spec["template"]["spec"] if "template" in spec else spec


def container(manifest: Manifest) -> Manifest:
    """The only container of a workload."""
    (only,) = pod(manifest)["containers"]
    found: Manifest = only
    return found
