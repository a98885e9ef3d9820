"""Values that are refused, and those of older releases, which are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts import CHART, EVERYTHING, Helm, HelmError

PREVIOUS = sorted((Path(__file__).parent / "previous-values").glob("*.yaml"))
# Not in values.yaml: Helm and a parent chart set them.
PARENTS = {"global", "enabled"}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("pusch.endpoint=http://c:4318", "pusch"),
        ("push.endpoints=http://c:4318", "endpoints"),
        ("push.endpoint=collector:4318", "push"),
        ("image.tga=1", "tga"),
        ("image.digest=sha256:12", "digest"),
        ("collector.persist.size=1Gi", "persist"),
        ('expected=["origins=nightly.sh"]', "expected"),
        ("privileged=yes", "privileged"),
        ("containerSecurityContext.privileged=true", "containerSecurityContext"),
        ('containerSecurityContext.capability={"add":["SYSLOG"]}', "capability"),
        ("service.port=70000", "port"),
        ("podMonitor.interval=often", "interval"),
        ("livenessProbe.periodSecond=5", "periodSecond"),
        ('prometheusRule.additionalRules=[{"alert":"A"}]', "additionalRules"),
    ],
)
def test_a_typo_is_refused_and_named(helm: Helm, setting: str, message: str) -> None:
    with pytest.raises(HelmError, match=message) as refused:
        helm.template([setting])
    assert "values don't meet the specifications of the schema(s)" in str(refused.value)


def test_two_monitors_are_refused_with_the_reason(helm: Helm) -> None:
    with pytest.raises(HelmError, match="would scrape every agent twice: switch one of them off"):
        helm.template(["podMonitor.enabled=true", "serviceMonitor.enabled=true"])


def test_an_alert_that_is_not_there_can_not_be_left_out(helm: Helm) -> None:
    with pytest.raises(HelmError, match="disabled: no alert is called Nosuch; there are KmsgCleared, Kmsg"):
        helm.template(["prometheusRule.enabled=true", 'prometheusRule.disabled=["KmsgCleared","Nosuch"]'])


def test_a_parent_chart_may_use_the_chart_by_its_condition(helm: Helm) -> None:
    assert helm.template(["enabled=true", "global.imageRegistry=r"])


def test_the_schema_has_exactly_the_values_there_are() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(_closed(schema)) - PARENTS == set(_named(schema, values))


@pytest.mark.parametrize("values", PREVIOUS, ids=lambda path: path.stem)
def test_the_values_of_an_older_release_are_still_taken(helm: Helm, values: Path) -> None:
    """As `helm upgrade --reuse-values` would hand them over: all that could be set then, set."""
    assert helm.template(values=values)


def test_every_release_has_left_its_values() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    assert version in [path.stem for path in PREVIOUS]


def test_the_scenario_everything_sets_every_value() -> None:
    """But for what excludes another switch."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    left = set(_closed(schema)) - PARENTS - set(_named(schema, yaml.safe_load(EVERYTHING.read_text())))
    assert {name for name in left if not name.startswith("serviceMonitor.")} == {
        "collector.containerSecurityContext",
        "collector.securityContext",
    }


def _closed(schema: dict[str, Any], prefix: str = "") -> list[str]:
    """The names of all values; the fields of Kubernetes' own objects are none."""
    names = []
    for name, field in schema["properties"].items():
        if prefix + name in ("containerSecurityContext", "livenessProbe", "readinessProbe"):
            names.append(prefix + name)
        elif field.get("additionalProperties") is False:
            names += _closed(field, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def _named(schema: dict[str, Any], values: dict[str, Any], prefix: str = "") -> list[str]:
    """The names in a values file, as deep as the schema names them."""
    names = []
    known = set(_closed(schema))
    for name, value in values.items():
        if prefix + name in known or not isinstance(value, dict):
            names.append(prefix + name)
        else:
            names += _named(schema, value, f"{prefix}{name}.")
    return names
