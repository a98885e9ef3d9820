"""Container and pod of a cgroup path: parts of the path, or nothing."""

from __future__ import annotations

import re

from target import Target

from kmsg_exporter.process.container import container_id, pod_uid

_ID = "4ca3b1f5d0e7a9c2" * 4
_UID = "6b0b6d8e-5ac9-4bd5-8b4f-2f0a4e2c9d11"


def one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    container, pod = container_id(text), pod_uid(text)
    assert container is None or (container in text and re.fullmatch("[0-9a-f]{64}|[0-9a-f]{32}-[0-9]{10}", container))
    assert pod is None or (f"pod{pod}" in text.replace("_", "-") and re.fullmatch("[0-9a-f-]{32,36}", pod))


TARGET = Target(
    one,
    seeds=(
        f"0::/kubepods.slice/kubepods-pod{_UID.replace('-', '_')}.slice/cri-containerd-{_ID}.scope\n".encode(),
        f"12:pids:/kubepods/burstable/pod{_UID}/{_ID}\n1:name=systemd:/ecs/{_ID[:32]}-1234567890\n".encode(),
        f"0::/system.slice/docker-{_ID}.scope/../pod{_ID[:32]}".encode(),
    ),
    words=(_ID.encode(), _UID.encode(), b"pod", b"/", b"-1234567890"),
)
