"""What the chart makes for others: Prometheus' operator, Grafana's sidecar, the network's policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from charts import CHART, EVERYTHING, Helm, Manifest, container, kinds, one


def test_pod_monitor_finds_the_agents_and_names_the_node(helm: Helm) -> None:
    rendered = helm.template(["podMonitor.enabled=true", "collector.enabled=true"])
    monitor = one(rendered, "PodMonitor")["spec"]
    assert monitor["selector"]["matchLabels"] == one(rendered, "DaemonSet")["spec"]["selector"]["matchLabels"]
    assert monitor["podMetricsEndpoints"] == [
        {
            "port": "metrics",
            "path": "/metrics",
            "scheme": "http",
            "relabelings": [
                {"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node", "action": "replace"}
            ],
        }
    ]
    assert "metrics" in [port["name"] for port in container(one(rendered, "DaemonSet"))["ports"]]


def test_the_job_is_the_one_that_the_rules_look_for_under_any_name(helm: Helm) -> None:
    rendered = helm.template(["podMonitor.enabled=true", "nameOverride=kernel-log"])
    label = one(rendered, "PodMonitor")["spec"]["jobLabel"]
    assert one(rendered, "DaemonSet")["spec"]["template"]["metadata"]["labels"][label] == "kmsg-exporter"


def test_prometheus_rule_has_every_rule_of_the_project(helm: Helm) -> None:
    rule = one(helm.template(["prometheusRule.enabled=true"]), "PrometheusRule")
    (path,) = (CHART / "files" / "rules").glob("*.yaml")
    assert rule["spec"] == yaml.safe_load(path.read_text())


def test_prometheus_rule_leaves_out_what_is_disabled_and_adds_ones_own(helm: Helm) -> None:
    everything = one(helm.template(["prometheusRule.enabled=true"]), "PrometheusRule")
    adapted = one(helm.template(values=EVERYTHING), "PrometheusRule")
    assert _alerts(everything) - _alerts(adapted) == {"KmsgClearDenied"}
    assert _alerts(adapted) - _alerts(everything) == {"KmsgEmptyForLong"}
    assert adapted["metadata"]["labels"]["release"] == "prometheus"
    own = adapted["spec"]["groups"][-1]["rules"][0]
    assert own["annotations"]["summary"] == "dmesg on {{ $labels.node }} shows nothing"


def test_dashboards_are_those_of_the_project_with_the_sidecars_label(helm: Helm) -> None:
    rendered = helm.template(["dashboards.enabled=true", "dashboards.annotations.grafana_folder=Nodes"])
    found: dict[str, Any] = {}
    for manifest in (m for m in rendered if m["kind"] == "ConfigMap"):
        assert manifest["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert manifest["metadata"]["annotations"] == {"grafana_folder": "Nodes"}
        assert len(json.dumps(manifest)) < 1 << 20
        found |= {name: json.loads(text) for name, text in manifest["data"].items()}
    originals = (CHART / "files" / "dashboards").glob("*.json")
    assert found == {path.name: json.loads(path.read_text()) for path in originals}
    assert found


def test_network_policy_allows_scrapes_dns_and_the_collector(helm: Helm) -> None:
    dns = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    rendered = helm.template(["networkPolicy.enabled=true", "collector.enabled=true"])
    ours = one(rendered, "NetworkPolicy", "kmsg-kmsg-exporter")["spec"]
    theirs = one(rendered, "NetworkPolicy", "kmsg-kmsg-exporter-collector")["spec"]
    collector = {"podSelector": {"matchLabels": theirs["podSelector"]["matchLabels"]}}
    assert ours["policyTypes"] == ["Ingress", "Egress"]
    assert ours["ingress"] == [{"ports": [{"port": 10144, "protocol": "TCP"}]}]
    assert ours["egress"] == [dns, {"ports": [{"port": 4318, "protocol": "TCP"}], "to": [collector]}]
    assert theirs["ingress"] == [
        {"ports": [{"port": 4318, "protocol": "TCP"}], "from": [{"podSelector": ours["podSelector"]}]}
    ]
    assert "egress" not in theirs


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [("http://otel:4318", 4318), ("https://otel.example.com", 443), ("http://otel/x", 80), ("http://[fd00::9]:9", 9)],
)
def test_network_policy_allows_the_port_of_the_endpoint(helm: Helm, endpoint: str, port: int) -> None:
    rendered = helm.template(["networkPolicy.enabled=true", f"push.endpoint={endpoint}"])
    assert one(rendered, "NetworkPolicy")["spec"]["egress"][1] == {"ports": [{"port": port, "protocol": "TCP"}]}


def test_network_policy_without_a_push_allows_dns_only(helm: Helm) -> None:
    assert len(one(helm.template(["networkPolicy.enabled=true"]), "NetworkPolicy")["spec"]["egress"]) == 1
    assert "NetworkPolicy" not in kinds(helm.template())


def _alerts(rule: Manifest) -> set[str]:
    return {entry["alert"] for group in rule["spec"]["groups"] for entry in group["rules"] if "alert" in entry}
