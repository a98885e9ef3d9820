"""What the pods may do: least privilege by default, one switch for more."""

from __future__ import annotations

import pytest
from charts import CHART, EVERYTHING, Helm, container, one, pod

COLLECTOR = ("collector.enabled=true",)
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def test_the_default_is_two_capabilities_and_no_privilege(helm: Helm) -> None:
    agent = one(helm.template(), "DaemonSet")
    assert container(agent)["securityContext"] == {
        "runAsUser": 0,
        "runAsGroup": 0,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["SYSLOG", "SYS_PTRACE"]},
        "seccompProfile": {"type": "RuntimeDefault"},
        "appArmorProfile": {"type": "Unconfined"},
    }
    assert "securityContext" not in pod(agent)
    assert pod(agent)["hostPID"] is True
    assert "hostNetwork" not in pod(agent)
    assert pod(agent)["automountServiceAccountToken"] is False
    assert one(helm.template(), "ServiceAccount")["automountServiceAccountToken"] is False


def test_nothing_grants_a_right_at_the_api_server(helm: Helm) -> None:
    rendered = helm.template(values=EVERYTHING)
    assert [m["kind"] for m in rendered if m["apiVersion"].startswith("rbac.")] == []


def test_what_is_mounted_from_the_node_is_tracefs_and_the_state(helm: Helm) -> None:
    agent = one(helm.template(), "DaemonSet")
    assert pod(agent)["volumes"] == [
        {"name": "state", "hostPath": {"path": "/var/lib/kmsg-exporter", "type": "DirectoryOrCreate"}},
        {"name": "runtime", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": "tracefs", "hostPath": {"path": "/sys/kernel/tracing"}},
    ]
    assert container(agent)["volumeMounts"] == [
        {"name": "state", "mountPath": "/var/lib/kmsg-exporter"},
        {"name": "runtime", "mountPath": "/run/kmsg-exporter"},
        {"name": "tracefs", "mountPath": "/sys/kernel/tracing", "mountPropagation": "HostToContainer"},
    ]


def test_privileged_is_one_switch(helm: Helm) -> None:
    agent = one(helm.template(["privileged=true"]), "DaemonSet")
    assert container(agent)["securityContext"] == {
        "runAsUser": 0,
        "runAsGroup": 0,
        "privileged": True,
        "readOnlyRootFilesystem": True,
    }


def test_before_1_30_apparmor_is_an_annotation(helm: Helm) -> None:
    agent = one(helm.template(kubernetes="1.29"), "DaemonSet")
    assert "appArmorProfile" not in container(agent)["securityContext"]
    assert agent["spec"]["template"]["metadata"]["annotations"] == {
        "container.apparmor.security.beta.kubernetes.io/agent": "unconfined"
    }
    assert "annotations" not in one(helm.template(kubernetes="1.30"), "DaemonSet")["spec"]["template"]["metadata"]


@pytest.mark.parametrize(
    ("profile", "annotation"),
    [('{"type":"RuntimeDefault"}', "runtime/default"), ('{"type":"Localhost","localhostProfile":"k"}', "localhost/k")],
)
def test_another_apparmor_profile_is_worded_as_the_annotation_has_it(helm: Helm, profile: str, annotation: str) -> None:
    agent = one(
        helm.template([f"containerSecurityContext.appArmorProfile={profile}"], kubernetes="1.28"),
        "DaemonSet",
    )
    assert list(agent["spec"]["template"]["metadata"]["annotations"].values()) == [annotation]


def test_openshift_gets_its_constraints_and_the_type_spc_t(helm: Helm) -> None:
    rendered = helm.template(values=CHART / "ci" / "openshift-values.yaml")
    constraints = one(rendered, "SecurityContextConstraints")
    agent = one(rendered, "DaemonSet")
    assert container(agent)["securityContext"]["seLinuxOptions"] == {"type": "spc_t"}
    assert constraints["metadata"]["name"] == "monitoring-kmsg-kmsg-exporter"
    assert constraints["users"] == ["system:serviceaccount:monitoring:kmsg-kmsg-exporter"]
    assert constraints["allowHostPID"] is True
    assert constraints["allowHostDirVolumePlugin"] is True
    assert constraints["allowPrivilegedContainer"] is False
    assert constraints["allowPrivilegeEscalation"] is False
    assert constraints["allowHostNetwork"] is False
    assert constraints["allowedCapabilities"] == container(agent)["securityContext"]["capabilities"]["add"]
    assert constraints["requiredDropCapabilities"] == ["ALL"]
    assert constraints["seccompProfiles"] == ["runtime/default"]
    used = {next(key for key in volume if key != "name") for volume in pod(agent)["volumes"]}
    assert used <= set(constraints["volumes"])


def test_openshift_chooses_the_ids_of_what_needs_no_root(helm: Helm) -> None:
    rendered = helm.template(values=CHART / "ci" / "openshift-values.yaml")
    for manifest in (one(rendered, "StatefulSet"), one(rendered, "Pod")):
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(pod(manifest)["securityContext"])


def test_openshift_privileged_allows_what_it_needs(helm: Helm) -> None:
    settings = ["securityContextConstraints.create=true", "privileged=true", "hostNetwork=true"]
    constraints = one(helm.template(settings), "SecurityContextConstraints")
    assert constraints["allowPrivilegedContainer"] is True
    assert constraints["allowHostNetwork"] is True
    assert constraints["allowHostPorts"] is True
    assert constraints["seccompProfiles"] == ["*"]


@pytest.mark.parametrize("kind", ["StatefulSet", "Pod"])
def test_collector_and_test_fit_the_level_restricted(helm: Helm, kind: str) -> None:
    manifest = one(helm.template(COLLECTOR), kind)
    context = pod(manifest)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == 65532
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(manifest)["securityContext"] == RESTRICTED
    assert pod(manifest)["automountServiceAccountToken"] is False
    assert not {"hostPID", "hostNetwork", "hostIPC"} & set(pod(manifest))
    assert not any("hostPath" in volume for volume in pod(manifest).get("volumes", []))
