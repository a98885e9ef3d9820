"""What each value that the README names does to the rendered output."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import yaml
from charts import CHART, EVERYTHING, ROOT, Helm, Manifest, container, one, pod

from kmsg_exporter.config import Parser, add_flags, load


def agent(helm: Helm, *settings: str) -> Manifest:
    return one(helm.template(settings), "DaemonSet")


def arguments(helm: Helm, *settings: str) -> list[str]:
    found: list[str] = container(agent(helm, *settings))["args"]
    return found


def environment(manifest: Manifest) -> dict[str, Any]:
    return {
        variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in container(manifest)["env"]
    }


def test_the_default_command_line(helm: Helm) -> None:
    assert container(agent(helm))["command"] == ["kmsg-exporter"]
    assert arguments(helm) == ["run", "--web.listen-address=:10144", "--path.etc=/proc/1/root/etc"]


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        ((), "ghcr.io/kmsg-exporter/kmsg-exporter:0.1.0"),
        (("image.tag=1.2.3",), "ghcr.io/kmsg-exporter/kmsg-exporter:1.2.3"),
        (("image.registry=r.example.com:5000", "image.repository=a/b"), "r.example.com:5000/a/b:0.1.0"),
        (("image.registry=", "image.repository=b"), "b:0.1.0"),
        (("image.tag=v1", f"image.digest=sha256:{'a' * 64}"), f"ghcr.io/kmsg-exporter/kmsg-exporter@sha256:{'a' * 64}"),
    ],
)
def test_image_is_the_same_for_every_pod(helm: Helm, settings: tuple[str, ...], image: str) -> None:
    rendered = helm.template([*settings, "collector.enabled=true", "image.pullPolicy=Always"])
    for kind in ("DaemonSet", "StatefulSet", "Pod"):
        assert container(one(rendered, kind))["image"] == image
        assert container(one(rendered, kind))["imagePullPolicy"] == "Always"


def test_the_apps_version_is_the_programs() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert f'__version__ = "{version}"' in (ROOT / "kmsg_exporter" / "__init__.py").read_text()


def test_push_endpoint_is_where_events_go(helm: Helm) -> None:
    assert "--push.endpoint=https://otel:4318" in arguments(helm, "push.endpoint=https://otel:4318")


def test_push_headers_secret_is_read_by_reference(helm: Helm) -> None:
    manifest = agent(helm, "push.headersSecret.name=token")
    assert environment(manifest)["OTEL_EXPORTER_OTLP_HEADERS"] == {"secretKeyRef": {"name": "token", "key": "headers"}}
    manifest = agent(helm, "push.headersSecret.name=token", "push.headersSecret.key=k")
    assert environment(manifest)["OTEL_EXPORTER_OTLP_HEADERS"] == {"secretKeyRef": {"name": "token", "key": "k"}}


def test_collector_enabled_is_one_pod_with_a_volume_that_the_agents_push_to(helm: Helm) -> None:
    rendered = helm.template(["collector.enabled=true"])
    collector = one(rendered, "StatefulSet")
    service = one(rendered, "Service", "kmsg-kmsg-exporter-collector")
    assert collector["spec"]["replicas"] == 1
    assert container(collector)["command"] == ["kmsg-exporter"]
    assert container(collector)["args"] == [
        "collector",
        "--collector.listen-address=:4318",
        "--collector.directory=/data",
        "--collector.retention-seconds=7776000",
        "--collector.max-bytes=768MiB",
        "--collector.silent-after-seconds=900",
        "--collector.forget-after-seconds=604800",
        "--collector.allow-anonymous",
    ]
    assert container(collector)["volumeMounts"] == [{"name": "events", "mountPath": "/data"}]
    assert collector["spec"]["volumeClaimTemplates"][0]["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    assert collector["spec"]["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["selector"].items() <= collector["spec"]["template"]["metadata"]["labels"].items()
    assert "--push.endpoint=http://kmsg-kmsg-exporter-collector.monitoring.svc:4318" in arguments(
        helm, "collector.enabled=true"
    )


def test_a_collector_with_a_fixed_address_needs_no_dns(helm: Helm) -> None:
    settings = ("collector.enabled=true", "collector.service.clusterIP=10.96.0.9", "collector.service.port=80")
    assert "--push.endpoint=http://10.96.0.9:80" in arguments(helm, *settings)
    assert "--push.endpoint=http://[fd00::9]:4318" in arguments(
        helm, "collector.enabled=true", "collector.service.clusterIP=fd00::9"
    )


def test_push_endpoint_wins_over_the_collector(helm: Helm) -> None:
    found = arguments(helm, "collector.enabled=true", "push.endpoint=http://otel:4318")
    assert [argument for argument in found if argument.startswith("--push.endpoint")] == [
        "--push.endpoint=http://otel:4318"
    ]


def test_credentials_are_files_of_a_secret(helm: Helm) -> None:
    settings = ["push.endpoint=https://otel:4318", "push.credentials.secretName=push", "push.credentials.headersKey=h"]
    manifest = agent(helm, *settings)
    assert {
        "--push.bearer-token-file=/etc/kmsg-exporter/push/token",
        "--push.headers-file=/etc/kmsg-exporter/push/h",
    } <= set(container(manifest)["args"])
    assert {"name": "push-credentials", "mountPath": "/etc/kmsg-exporter/push", "readOnly": True} in container(
        manifest
    )["volumeMounts"]
    assert {"name": "push-credentials", "secret": {"secretName": "push"}} in pod(manifest)["volumes"]


def test_certificates_of_the_push_are_files_of_a_secret(helm: Helm) -> None:
    manifest = agent(helm, "push.endpoint=https://otel:4318", "push.tls.secretName=tls", "push.tls.certKey=tls.crt")
    found = {name: value for name, value in environment(manifest).items() if name.startswith("OTEL")}
    assert found == {
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/etc/kmsg-exporter/push-tls/ca.crt",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/etc/kmsg-exporter/push-tls/tls.crt",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/etc/kmsg-exporter/push-tls/tls.key",
    }
    assert {"name": "push-tls", "secret": {"secretName": "tls"}} in pod(manifest)["volumes"]


def test_without_an_endpoint_no_agent_says_hello(helm: Helm) -> None:
    assert [argument for argument in arguments(helm) if argument.startswith("--push")] == []


def test_a_collector_with_a_web_configuration_asks_and_is_pushed_to_by_tls(helm: Helm) -> None:
    settings = ["collector.enabled=true", "collector.webConfig.secretName=web"]
    collector = one(helm.template(settings), "StatefulSet")
    assert "--collector.web-config-file=/etc/kmsg-exporter/web/web-config.yaml" in container(collector)["args"]
    assert "--collector.allow-anonymous" not in container(collector)["args"]
    assert pod(collector)["volumes"] == [{"name": "web-config", "secret": {"secretName": "web"}}]
    assert container(collector)["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"
    assert "--push.endpoint=https://kmsg-kmsg-exporter-collector.monitoring.svc:4318" in arguments(helm, *settings)


def test_a_collector_that_asks_for_certificates_is_probed_by_its_port(helm: Helm) -> None:
    settings = [
        "collector.enabled=true",
        "collector.webConfig.secretName=w",
        "collector.webConfig.clientCertificates=true",
    ]
    probes = container(one(helm.template(settings), "StatefulSet"))
    assert probes["livenessProbe"]["tcpSocket"] == probes["readinessProbe"]["tcpSocket"] == {"port": "otlp-http"}


def test_the_page_has_a_port_of_its_own_if_wanted(helm: Helm) -> None:
    rendered = helm.template(["collector.enabled=true", "collector.pagePort=8080", "collector.podMonitor.enabled=true"])
    collector = one(rendered, "StatefulSet")
    service = one(rendered, "Service", "kmsg-kmsg-exporter-collector")
    assert "--collector.page-address=:8080" in container(collector)["args"]
    assert {"name": "page", "port": 8080, "targetPort": "page", "protocol": "TCP"} in service["spec"]["ports"]
    assert one(rendered, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["port"] == "page"


def test_without_persistence_the_collector_has_an_empty_volume(helm: Helm) -> None:
    settings = ["collector.enabled=true", "collector.persistence.enabled=false"]
    collector = one(helm.template(settings), "StatefulSet")
    assert "volumeClaimTemplates" not in collector["spec"]
    assert pod(collector)["volumes"] == [{"name": "events", "emptyDir": {}}]


def test_the_services_select_one_kind_of_pod_each(helm: Helm) -> None:
    rendered = helm.template(["collector.enabled=true"])
    pods = [one(rendered, kind)["spec"]["template"]["metadata"]["labels"] for kind in ("DaemonSet", "StatefulSet")]
    pods.append(one(rendered, "Pod")["metadata"]["labels"])
    for service in (m for m in rendered if m["kind"] == "Service"):
        assert sum(service["spec"]["selector"].items() <= labels.items() for labels in pods) == 1


def test_what_an_upgrade_can_not_change_stays(helm: Helm) -> None:
    """The API refuses another selector, so a release that changed it could not be upgraded to."""
    rendered = helm.template(["collector.enabled=true"])
    assert one(rendered, "DaemonSet")["spec"]["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "kmsg-exporter",
        "app.kubernetes.io/instance": "kmsg",
    }
    collector = one(rendered, "StatefulSet")
    assert collector["spec"]["selector"]["matchLabels"] == {
        "app.kubernetes.io/name": "kmsg-exporter-collector",
        "app.kubernetes.io/instance": "kmsg",
    }
    assert collector["spec"]["serviceName"] == "kmsg-kmsg-exporter-collector"
    assert collector["spec"]["volumeClaimTemplates"][0]["metadata"] == {
        "name": "events",
        "labels": collector["spec"]["selector"]["matchLabels"],
    }


def test_tracing_switched_off_mounts_nothing_and_asks_for_the_state_only(helm: Helm) -> None:
    manifest = agent(helm, "tracing.enabled=false")
    assert "--backend=state" in container(manifest)["args"]
    assert [volume["name"] for volume in pod(manifest)["volumes"]] == ["state", "runtime"]
    assert [mount["name"] for mount in container(manifest)["volumeMounts"]] == ["state", "runtime"]


def test_mount_propagation_can_be_switched_off(helm: Helm) -> None:
    mounts = container(agent(helm, "tracing.mountPropagation=None"))["volumeMounts"]
    assert mounts[2] == {"name": "tracefs", "mountPath": "/sys/kernel/tracing", "mountPropagation": "None"}


def test_the_nodes_name_reaches_events_by_the_downward_api(helm: Helm) -> None:
    assert environment(agent(helm)) == {"NODE_NAME": {"fieldRef": {"fieldPath": "spec.nodeName"}}}


def test_cluster_name_reaches_events_and_labels(helm: Helm) -> None:
    settings = ("cluster.name=production", "podMonitor.enabled=true")
    assert environment(agent(helm, *settings))["KMSG_EXPORTER_CLUSTER_NAME"] == "production"
    (endpoint,) = one(helm.template(settings), "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint["relabelings"][1] == {"targetLabel": "cluster", "replacement": "production", "action": "replace"}


def test_expected_is_a_flag_for_each_rule(helm: Helm) -> None:
    rules = ["origin=nightly-ci.sh", "comm=dmesg,ancestor=*/cron"]
    found = arguments(helm, f"expected={json.dumps(rules)}")
    assert found[-2:] == ["--expected=origin=nightly-ci.sh", "--expected=comm=dmesg,ancestor=*/cron"]


def test_resources_and_tolerations_are_the_agents(helm: Helm) -> None:
    assert container(agent(helm))["resources"] == {
        "requests": {"cpu": "10m", "memory": "64Mi"},
        "limits": {"memory": "256Mi"},
    }
    assert pod(agent(helm))["tolerations"] == [{"effect": "NoSchedule", "operator": "Exists"}]
    manifest = agent(helm, 'resources={"limits":{"cpu":"1"}}', 'tolerations=[{"operator":"Exists"}]')
    assert container(manifest)["resources"]["limits"] == {"memory": "256Mi", "cpu": "1"}
    assert pod(manifest)["tolerations"] == [{"operator": "Exists"}]


def test_web_config_is_mounted_and_everybody_who_asks_the_agent_speaks_tls(helm: Helm) -> None:
    manifest = agent(helm, "webConfig.secretName=web")
    assert "--web.config.file=/etc/kmsg-exporter/web/web-config.yaml" in container(manifest)["args"]
    assert {"name": "web-config", "secret": {"secretName": "web"}} in pod(manifest)["volumes"]
    assert container(manifest)["livenessProbe"]["httpGet"]["scheme"] == "HTTPS"
    assert container(manifest)["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    rendered = helm.template(["webConfig.secretName=web", "podMonitor.enabled=true"])
    assert one(rendered, "PodMonitor")["spec"]["podMetricsEndpoints"][0]["scheme"] == "https"
    assert container(one(rendered, "Pod"))["args"][1] == "https"


def test_with_client_certificates_the_probes_only_look_at_the_port(helm: Helm) -> None:
    manifest = agent(helm, "webConfig.secretName=web", "webConfig.clientCertificates=true")
    for probe in ("livenessProbe", "readinessProbe"):
        assert container(manifest)[probe]["tcpSocket"] == {"port": "metrics"}
        assert "httpGet" not in container(manifest)[probe]


def test_a_web_config_with_passwords_only_leaves_the_port_http(helm: Helm) -> None:
    manifest = agent(helm, "webConfig.secretName=web", "webConfig.scheme=http")
    assert container(manifest)["livenessProbe"]["httpGet"]["scheme"] == "HTTP"


def test_probes_ask_the_agent(helm: Helm) -> None:
    live, ready = (container(agent(helm))[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe"))
    assert live == {"path": "/-/healthy", "port": "metrics", "scheme": "HTTP"}
    assert ready == {"path": "/-/ready", "port": "metrics", "scheme": "HTTP"}


def test_extra_args_come_last(helm: Helm) -> None:
    found = arguments(helm, 'extraArgs=["--push.sample=errors","--log.format=json"]', 'expected=["comm=a"]')
    assert found[-3:] == ["--expected=comm=a", "--push.sample=errors", "--log.format=json"]


def test_the_options_that_the_readme_gives_by_extra_args_are_taken_by_the_agent(helm: Helm, tmp_path: Path) -> None:
    shown = (CHART / "README.md").read_text().partition("## Every other option\n")[2]
    (tmp_path / "values.yaml").write_text(shown.split("```")[1].removeprefix("yaml\n"))
    command, *flags = container(one(helm.template(values=tmp_path / "values.yaml"), "DaemonSet"))["args"]
    parser = Parser()
    add_flags(parser, command)
    config = load(parser.parse_args(flags, Namespace(command=command)), {})
    assert (config.push_sample, config.push_spool_bytes, config.push_timeout_seconds) == ("errors", 128 << 20, 5.0)
    assert (config.push_redact, config.push_command_args) == ((re.compile(r"password=\S+"),), True)


def test_every_flag_of_the_chart_is_one_of_the_program(helm: Helm) -> None:
    """Those of --help, so a renamed flag shows here before it shows on a node."""
    from kmsg_exporter.config.options import options

    rendered = helm.template(values=EVERYTHING)
    for kind, command in (("DaemonSet", "run"), ("StatefulSet", "collector")):
        first, *flags = container(one(rendered, kind))["args"]
        assert first == command
        assert {flag.partition("=")[0] for flag in flags} <= {option.flag for option in options(command)}


def test_everything_is_everywhere_as_it_was_set(helm: Helm) -> None:
    rendered = helm.template(values=EVERYTHING)
    manifest = one(rendered, "DaemonSet")
    assert manifest["metadata"]["namespace"] == "node-agents"
    assert {m["metadata"].get("labels", {"team": "platform"})["team"] for m in rendered} == {"platform"}
    assert pod(manifest)["dnsPolicy"] == "ClusterFirstWithHostNet"
    assert pod(manifest)["serviceAccountName"] == "kernel-log"
    assert pod(manifest)["priorityClassName"] == "system-node-critical"
    assert pod(manifest)["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "workers"}
    assert container(manifest)["ports"] == [{"name": "metrics", "containerPort": 9144, "protocol": "TCP"}]
    assert "--web.listen-address=:9144" in container(manifest)["args"]
    assert one(rendered, "ConfigMap", "more")["data"] == {"release": "kmsg"}
    assert one(rendered, "ConfigMap", "node-kmsg-text")


@pytest.mark.parametrize("name", ["a" * 53, "kmsg-exporter", "k" * 52 + "x"])
def test_names_stay_within_what_kubernetes_takes(helm: Helm, name: str) -> None:
    rendered = helm.template(["collector.enabled=true"], release=name)
    # the revision that a StatefulSet puts into a label of its pods has eleven characters more
    assert len(one(rendered, "StatefulSet")["metadata"]["name"]) <= 52
    assert max(len(m["metadata"]["name"]) for m in rendered) <= 63
