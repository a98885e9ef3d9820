"""Which container and pod a cgroup path belongs to."""

from __future__ import annotations

import re

# Docker, containerd, CRI-O and Podman name a container's cgroup by its 64 hexadecimal digits; ECS by 32 and a number.
_CONTAINER = re.compile(r"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{32}-[0-9]{10})(?![0-9a-f])")
# the kubelet's pod folder, with "_" for "-" under the systemd driver; static pods have 32 digits in a row
_POD = re.compile(r"pod([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?![0-9a-f])")


def container_id(cgroup: str) -> str | None:
    """The innermost container id in a cgroup path or a whole /proc/PID/cgroup text, None on the host."""
    found = _CONTAINER.findall(cgroup)
    return found[-1] if found else None


def pod_uid(cgroup: str) -> str | None:
    """The Kubernetes pod's uid in a cgroup path or a whole /proc/PID/cgroup text, None outside of pods."""
    found = _POD.findall(cgroup)
    return found[-1].replace("_", "-") if found else None
