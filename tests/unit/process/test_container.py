"""Cgroup paths of the runtimes and drivers that there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.model import Process
from kmsg_exporter.process.container import container_id, pod_uid
from kmsg_exporter.process.origin import PASSED_OVER, origin

ID = "4ca3b1f5d0e7a9c24ca3b1f5d0e7a9c24ca3b1f5d0e7a9c24ca3b1f5d0e7a9c2"
OTHER = "f" * 64
UID = "6b0b6d8e-5ac9-4bd5-8b4f-2f0a4e2c9d11"
UNDERSCORED = UID.replace("-", "_")
STATIC = "b1946ac92492d2347c6235b4d2611184"


@pytest.mark.parametrize(
    ("cgroup", "container", "pod"),
    [
        pytest.param(f"/docker/{ID}", ID, None, id="docker cgroupfs"),
        pytest.param(f"/system.slice/docker-{ID}.scope", ID, None, id="docker systemd"),
        pytest.param(
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNDERSCORED}.slice/"
            f"cri-containerd-{ID}.scope",
            ID,
            UID,
            id="containerd systemd",
        ),
        pytest.param(f"/kubepods/besteffort/pod{UID}/{ID}", ID, UID, id="containerd cgroupfs"),
        pytest.param(
            f"/kubepods.slice/kubepods-pod{UNDERSCORED}.slice:cri-containerd:{ID}", ID, UID, id="containerd nested name"
        ),
        pytest.param(
            f"/kubepods.slice/kubepods-pod{UNDERSCORED}.slice/crio-{ID}.scope", ID, UID, id="cri-o guaranteed"
        ),
        pytest.param(
            f"/kubepods.slice/kubepods-pod{UNDERSCORED}.slice/crio-{ID}.scope/container", ID, UID, id="cri-o child"
        ),
        pytest.param(
            f"/kubepods.slice/kubepods-pod{UNDERSCORED}.slice/crio-conmon-{ID}.scope", ID, UID, id="cri-o conmon"
        ),
        pytest.param(f"/machine.slice/libpod-{ID}.scope/container", ID, None, id="podman"),
        pytest.param(
            f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope",
            ID,
            None,
            id="podman rootless",
        ),
        pytest.param(f"/kubepods/burstable/pod{STATIC}/{ID}", ID, STATIC, id="static pod cgroupfs"),
        pytest.param(
            f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/cri-containerd-{ID}.scope",
            ID,
            STATIC,
            id="static pod systemd",
        ),
        pytest.param(f"/docker/{OTHER}/kubepods/besteffort/pod{UID}/{ID}", ID, UID, id="kind: a node in a container"),
        pytest.param(
            "/ecs/0123456789abcdef0123456789abcdef/0123456789abcdef0123456789abcdef-1234567890",
            "0123456789abcdef0123456789abcdef-1234567890",
            None,
            id="ecs",
        ),
        pytest.param(f"12:cpu:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n", ID, None, id="cgroup v1 file"),
        pytest.param("/", None, None, id="root"),
        pytest.param("/system.slice/cron.service", None, None, id="service"),
        pytest.param(f"/system.slice/{ID}{ID}.scope", None, None, id="too long"),
        pytest.param(f"/docker/{ID[:-1]}", None, None, id="too short"),
        pytest.param("/podman.slice/podcast.service", None, None, id="a word that begins with pod"),
    ],
)
def test_container_and_pod_of_a_cgroup(cgroup: str, container: str | None, pod: str | None) -> None:
    assert (container_id(cgroup), pod_uid(cgroup)) == (container, pod)


@given(st.text(max_size=200) | st.text(alphabet="abcdef0123456789-_/pod.:\n", max_size=300))
def test_any_text_has_a_container_and_a_pod_or_none(cgroup: str) -> None:
    assert (found := container_id(cgroup)) is None or found in cgroup
    assert (uid := pod_uid(cgroup)) is None or len(uid) in (32, 36)


def chain(*comms: str) -> tuple[Process, ...]:
    return tuple(Process(100 + number, comm, "") for number, comm in enumerate(comms))


@pytest.mark.parametrize(
    ("comms", "name"),
    [
        (("cleanup.sh", "cron"), "cleanup.sh"),
        (("sh", "cron"), "cron"),
        (("bash", "-bash", "sudo", "sshd"), "sshd"),
        (("-zsh", "tmux: server"), "tmux: server"),
        (("", "sh", "ansible"), "ansible"),
        (("sh", "bash"), ""),
        ((), ""),
    ],
)
def test_origin_is_the_nearest_ancestor_that_says_something(comms: tuple[str, ...], name: str) -> None:
    assert origin(chain(*comms)) == name


@given(st.lists(st.sampled_from([*sorted(PASSED_OVER), "cron", "cleanup.sh", ""]), max_size=8))
def test_origin_is_never_a_wrapper(comms: list[str]) -> None:
    name = origin(chain(*comms))
    assert name in comms or not name
    assert name not in PASSED_OVER
