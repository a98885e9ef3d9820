"""Where the node's files are, seen from the node and from a container on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmsg_exporter.why import node
from kmsg_exporter.why.finding import Roots

DEV = Path("/dev")


def proc(folder: Path, *, nodes: str | None, ours: str | None) -> Path:
    """With what is mounted at the root of process 1, and of our own."""
    for process, root in (("1", nodes), ("self", ours)):
        (folder / process).mkdir()
        if root is not None:
            proc_line = "24 22 0:21 / /proc rw,nosuid shared:5 - proc proc rw\n"
            (folder / process / "mountinfo").write_text(f"22 1 {root} / rw shared:1 - ext4 /dev/sda1 rw\n{proc_line}")
    return folder


@pytest.mark.parametrize("ours", ["8:1 /", None])
def test_on_the_node_its_files_are_where_they_are(tmp_path: Path, ours: str | None) -> None:
    there = proc(tmp_path, nodes=ours, ours=ours)
    assert node.roots(there, DEV, Path("/etc"), None) == Roots(there)
    assert node.findings(Roots(there)) == []


@pytest.mark.parametrize("ours", ["0:52 /", "8:1 /var/lib/containers/1"])
def test_from_a_container_they_are_below_process_1s_root(tmp_path: Path, ours: str) -> None:
    there = proc(tmp_path, nodes="8:1 /", ours=ours)
    roots = node.roots(there, DEV, Path("/etc"), None)
    root = there / "1" / "root"
    assert (roots.etc, roots.log, roots.root) == (root / "etc", root / "var/log", root)
    assert roots.named(root / "var/log/syslog") == "/var/log/syslog"
    assert not roots.own
    roots = node.roots(there, DEV, Path("/host/etc"), Path("/host/log"))
    assert (roots.etc, roots.log, roots.root) == (Path("/host/etc"), Path("/host/log"), root)


def test_a_container_that_may_not_look_there_is_told(tmp_path: Path) -> None:
    there = proc(tmp_path, nodes="8:1 /", ours="0:52 /")
    roots = node.roots(there, DEV, Path("/etc"), None)
    (found,) = node.findings(roots)
    assert (found.verdict, found.what, found.evidence) == (
        "unseen",
        "this is a container, and the node's own log files, journal and configuration can't be seen from it",
        (f"{there}/1/root: No such file or directory",),
    )
    (there / "1" / "root").mkdir()
    assert node.findings(roots) == []
