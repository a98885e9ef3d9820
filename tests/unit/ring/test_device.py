"""What can't be opened as /dev/kmsg says why, and what is something else is not opened at all."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest
from fake_kmsg import FakeKmsg

from kmsg_exporter.errors import RingUnavailable
from kmsg_exporter.ring.device import open_kmsg


def test_missing_device_says_so(tmp_path: Path) -> None:
    with pytest.raises(RingUnavailable, match="there is no such device here"):
        open_kmsg(tmp_path / "kmsg")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            PermissionError(1, "Operation not permitted"),
            "/dev/kmsg: not permitted: CAP_SYSLOG is missing, or a container's device cgroup refuses it",
        ),
        (PermissionError(13, "Permission denied"), "/dev/kmsg: permission denied: run as root"),
        (OSError(6, "No such device or address"), "/dev/kmsg: No such device or address"),
    ],
)
def test_refused_device_says_why(error: OSError, text: str) -> None:
    def refuse(*_: object) -> int:
        raise error

    with patch.multiple(os, stat=FakeKmsg(1).stat, open=refuse), pytest.raises(RingUnavailable) as refused:
        open_kmsg(Path("/dev/kmsg"))
    assert str(refused.value) == text


def refused(path: Path) -> str:
    """Why; nothing was opened."""
    with patch.object(os, "open", side_effect=AssertionError), pytest.raises(RingUnavailable) as why:
        open_kmsg(path)
    return str(why.value)


@pytest.mark.parametrize("target", ["/dev/null", "/dev/zero"])
def test_a_link_to_another_device_is_not_the_log(tmp_path: Path, target: str) -> None:
    (tmp_path / "kmsg").symlink_to(target)
    assert refused(tmp_path / "kmsg") == (
        f"{tmp_path}/kmsg: not the kernel log's device but a link to {target}, as containers have it"
    )


def test_what_is_no_device_is_not_the_log(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("file", "a file"), ("folder", "a folder"), ("pipe", "a named pipe")):
        assert refused(tmp_path / name) == (
            f"{tmp_path}/{name}: not the kernel log's device but {kind}, as containers have it"
        )


def test_another_device_in_its_place_is_not_the_log() -> None:
    assert refused(Path("/dev/null")) == (
        "/dev/null: not the kernel log's device but device 1:3, as containers have it"
    )


def test_a_link_to_the_device_is_the_log(tmp_path: Path) -> None:
    (tmp_path / "kmsg").symlink_to("/host/dev/kmsg")
    log = FakeKmsg(1)
    with patch.multiple(os, stat=log.stat, open=log.open):
        log.close(open_kmsg(tmp_path / "kmsg"))
    assert log.open_descriptors() == 0
