"""The plain manifests in deploy/kubernetes, from the rendered chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from charts import Helm

HEADER = "# Rendered from the chart by tests/chart/sync.py.\n"
# The files of each directory, and what is set for them.
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    ".": (("ServiceAccount", "Service", "DaemonSet"), ()),
    "collector": (("Service", "StatefulSet"), ("collector.enabled=true",)),
    "monitoring": (("PodMonitor", "PrometheusRule"), ("podMonitor.enabled=true", "prometheusRule.enabled=true")),
}


def manifests(helm: Helm) -> dict[Path, str]:
    """Path below deploy/kubernetes and text of each file that is made from the chart."""
    made = {}
    for part, (kinds, settings) in PARTS.items():
        component = "collector" if part == "collector" else "agent"
        for manifest in helm.template(settings, namespace="kmsg-exporter", release="kmsg-exporter"):
            ours = manifest["metadata"]["labels"]["app.kubernetes.io/component"] == component
            if ours and manifest["kind"] in kinds:
                made[Path(part) / f"{manifest['kind'].lower()}.yaml"] = HEADER + _text(_without_helm(manifest))
    return made


def _text(manifest: Any) -> str:
    return yaml.safe_dump(manifest, sort_keys=False, width=120, allow_unicode=True)


def _without_helm(value: Any) -> Any:
    """The manifest without the labels that say Helm manages it."""
    if isinstance(value, list):
        return [_without_helm(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _without_helm(item)
        for key, item in value.items()
        if key not in ("helm.sh/chart", "app.kubernetes.io/managed-by")
    }
