"""What containerd makes of a pod: a container of a rendered manifest as an OCI runtime's config.json."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

# containerd's defaults: pkg/oci/spec.go and spec_opts_linux.go; what is masked comes from the kubelet
# (pkg/securitycontext/util.go).
_CAPABILITIES = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
_ALL_CAPABILITIES = (
    *_CAPABILITIES,
    *("AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "IPC_LOCK"),
    *("IPC_OWNER", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN", "NET_BROADCAST", "PERFMON"),
    *("SYSLOG", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "WAKE_ALARM"),
)
_MASKED = (
    *("/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"),
)
_READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_DEVICES = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (136, None))
_KMSG = {"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11, "fileMode": 0o644, "uid": 0, "gid": 0}
_PROPAGATION = {None: "rprivate", "None": "rprivate", "HostToContainer": "rslave", "Bidirectional": "rshared"}


@dataclass(frozen=True)
class Place:
    """Where a container runs: what the kubelet and the runtime add to the manifest."""

    container_id: str
    pod_uid: str
    node: str
    network: str  # the pod's network namespace, as a path
    rootfs: str
    scratch: str  # a directory for emptyDir volumes


def config(pod: Json, image: Json, place: Place, container: Json | None = None) -> Json:
    """The config.json of `container` (the pod's only one by default), without its seccomp profile.

    `pod` is a pod's spec, `image` the OCI image's config. Raises ValueError for what this does not translate.
    """
    container = container or _only(pod["containers"])
    security = dict(pod.get("securityContext", {})) | dict(container.get("securityContext", {}))
    privileged = bool(security.get("privileged"))
    if not privileged and security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        raise ValueError("the seccomp profile is not RuntimeDefault: another is not translated here")
    if security.get("appArmorProfile", {"type": "Unconfined"}) != {"type": "Unconfined"}:
        raise ValueError("the AppArmor profile is not Unconfined: another is not translated here")
    env = _environment(container, image, place)
    mounts = [_mount(pod, mount, place) for mount in container.get("volumeMounts", [])]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {
                "uid": security.get("runAsUser", 0),
                "gid": security.get("runAsGroup", 0),
                "additionalGids": [security["fsGroup"]] if "fsGroup" in security else [],
            },
            "args": _command(container, image, env),
            "env": [f"{name}={value}" for name, value in env.items()],
            "cwd": container.get("workingDir") or image.get("WorkingDir") or "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), _capabilities(security, privileged)),
            "noNewPrivileges": not security.get("allowPrivilegeEscalation", True),
        },
        "root": {"path": place.rootfs, "readonly": bool(security.get("readOnlyRootFilesystem"))},
        "hostname": place.node,
        "mounts": [*_own_mounts(privileged), *sorted(mounts, key=lambda mount: str(mount["destination"]).count("/"))],
        "linux": {
            "cgroupsPath": f"/kubepods/burstable/pod{place.pod_uid}/{place.container_id}",
            "namespaces": _namespaces(pod, place, privileged),
            "rootfsPropagation": "rslave" if any("rslave" in mount["options"] for mount in mounts) else "private",
            "maskedPaths": [] if privileged else list(_MASKED),
            "readonlyPaths": [] if privileged else list(_READ_ONLY),
            "devices": [_KMSG] if privileged else [],  # of all the node's devices, the one that matters here
            "resources": {"devices": _device_rules(privileged)} | _memory(container),
        },
    }


def _only(containers: list[Json]) -> Json:
    if len(containers) != 1:
        raise ValueError(f"{len(containers)} containers in the pod: name one")
    return containers[0]


def _environment(container: Json, image: Json, place: Place) -> dict[str, str]:
    env = dict(item.split("=", 1) for item in image.get("Env") or []) | {"HOSTNAME": place.node}
    fields = {"spec.nodeName": place.node, "metadata.uid": place.pod_uid}
    for item in container.get("env", []):
        if "value" in item:
            env[item["name"]] = item["value"]
        else:
            env[item["name"]] = fields[item["valueFrom"]["fieldRef"]["fieldPath"]]
    return env


def _command(container: Json, image: Json, env: dict[str, str]) -> list[str]:
    command = container.get("command")
    arguments = container.get("args") or ([] if command else image.get("Cmd") or [])
    words = [*(command or image.get("Entrypoint") or []), *arguments]
    return [re.sub(r"\$\((\w+)\)", lambda found: env.get(found[1], found[0]), str(word)) for word in words]


def _capabilities(security: Json, privileged: bool) -> list[str]:
    if privileged:
        return sorted(f"CAP_{name}" for name in _ALL_CAPABILITIES)
    wanted = security.get("capabilities", {})
    dropped = set(wanted.get("drop", []))
    names = set() if "ALL" in dropped else set(_CAPABILITIES) - dropped
    return sorted(f"CAP_{name}" for name in names | set(wanted.get("add", [])))


def _mount(pod: Json, mount: Json, place: Place) -> Json:
    name = mount["name"]
    claimed: Json = {"emptyDir": {}}  # a StatefulSet's volumeClaimTemplates are not among the pod's volumes
    volume = next((volume for volume in pod.get("volumes", []) if volume["name"] == name), claimed)
    if "subPath" in mount or not {"hostPath", "emptyDir"} & volume.keys():
        raise ValueError(f"volume {name}: only hostPath and emptyDir are translated here")
    source = volume["hostPath"]["path"] if "hostPath" in volume else f"{place.scratch}/{name}"
    options = ["rbind", _PROPAGATION[mount.get("mountPropagation")], "ro" if mount.get("readOnly") else "rw"]
    return {"destination": mount["mountPath"], "type": "bind", "source": source, "options": options}


def _own_mounts(privileged: bool) -> list[Json]:
    limits = ["nosuid", "noexec", "nodev"]
    access = "rw" if privileged else "ro"
    table: list[tuple[str, str, list[str]]] = [
        ("/proc", "proc", limits),
        ("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        ("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        ("/dev/mqueue", "mqueue", limits),
        ("/dev/shm", "tmpfs", [*limits, "mode=1777", "size=65536k"]),
        ("/sys", "sysfs", [*limits, access]),
        ("/sys/fs/cgroup", "cgroup", [*limits, "relatime", access]),
    ]
    return [{"destination": path, "type": kind, "source": kind, "options": options} for path, kind, options in table]


def _namespaces(pod: Json, place: Place, privileged: bool) -> list[Json]:
    kinds = ["mount", "ipc", "uts"]
    kinds += [] if pod.get("hostPID") else ["pid"]
    kinds += [] if privileged else ["cgroup"]
    network = [] if pod.get("hostNetwork") else [{"type": "network", "path": place.network}]
    return [{"type": kind} for kind in kinds] + network


def _memory(container: Json) -> Json:
    limit = container.get("resources", {}).get("limits", {}).get("memory")
    return {"memory": {"limit": int(limit.removesuffix("Mi")) << 20}} if limit else {}


def _device_rules(privileged: bool) -> list[Json]:
    if privileged:
        return [{"allow": True, "access": "rwm"}]
    allowed = [{"allow": True, "access": "rwm", "type": "c", "major": major} for major, _ in _DEVICES]
    for rule, (_, minor) in zip(allowed, _DEVICES, strict=True):
        rule |= {} if minor is None else {"minor": minor}
    return [{"allow": False, "access": "rwm"}, *allowed]
