"""Manifests held to the API's own schemas: Kubernetes' by kubernetes-validate, others by their CRDs."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import yaml
from charts import Manifest

FIRST = (1, 28)
FOREIGN = {
    "PodMonitor": "podmonitor",
    "ServiceMonitor": "servicemonitor",
    "PrometheusRule": "prometheusrule",
    "SecurityContextConstraints": "securitycontextconstraints",
}


# The library reads its megabytes anew for every manifest.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)


def kubernetes_versions() -> list[str]:
    """Every version from FIRST to the newest that is known, as MAJOR.MINOR."""
    known = sorted({tuple(map(int, v.split(".")[:2])) for v in kubernetes_validate.utils.all_versions()})
    return [".".join(map(str, version)) for version in known if version >= FIRST]


def validate(manifest: Manifest, kubernetes: str, crds: Path) -> None:
    """Raises ValidationError for an unknown field or a wrong value."""
    if manifest["kind"] in FOREIGN:
        _validator(crds / f"{FOREIGN[manifest['kind']]}.yaml", manifest["apiVersion"]).validate(manifest)
    else:
        _validate_once(json.dumps(manifest, sort_keys=True), kubernetes)


@functools.cache
def _validate_once(manifest: str, kubernetes: str) -> None:
    """Most scenarios have most manifests in common."""
    kubernetes_validate.validate(json.loads(manifest), kubernetes, strict=True)


@functools.cache
def _validator(path: Path, api_version: str) -> jsonschema.Draft7Validator:
    crd = yaml.safe_load(path.read_text())
    (schema,) = (
        version["schema"]["openAPIV3Schema"]
        for version in crd["spec"]["versions"]
        if f"{crd['spec']['group']}/{version['name']}" == api_version
    )
    return jsonschema.Draft7Validator(_strict(schema, top=True))


def _strict(schema: Any, *, top: bool = False) -> Any:
    """The same schema with unknown fields refused and nothing but null where a field may be null."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _strict(value) for key, value in schema.items() if key != "properties"}
    if "properties" in schema:
        # fields of their own, whatever these are called
        made["properties"] = {name: _strict(field) for name, field in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields") and "additionalProperties" not in schema:
            made["additionalProperties"] = False
    if top:
        made["properties"]["metadata"] = {"type": "object"}
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    if schema.get("nullable"):
        made["type"] = [schema["type"], "null"]
    return made
