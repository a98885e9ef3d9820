"""Where the node's own files are, also for who looks from a container on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from kmsg_exporter.why import finding
from kmsg_exporter.why.finding import Finding, Roots

_HERE: Final = Roots()


def roots(proc: Path, dev: Path, etc: Path, log: Path | None) -> Roots:
    """In a container what is not named is the node's, through its process 1, and not the image's."""
    root = proc / "1" / "root" if _is_container(proc) else _HERE.root
    if etc == _HERE.etc:
        etc = root / "etc"
    return Roots(proc, dev, etc, root / "var/log" if log is None else log, root)


def findings(roots: Roots) -> list[Finding]:
    """That the node's files can't be seen."""
    if roots.root == _HERE.root:
        return []
    try:
        os.listdir(roots.root)
    except OSError as exc:
        what = "this is a container, and the node's own log files, journal and configuration can't be seen from it"
        remedy = "run it as root on the node, or with CAP_SYS_PTRACE; or mount them: --path.log, --path.etc"
        return [Finding("unseen", finding.DAEMON, what, (f"{roots.root}: {exc.strerror}",), remedy)]
    return []


def _is_container(proc: Path) -> bool:
    """Whether the node's process 1, where it can be seen at all, has another file system as its root."""
    nodes, ours = _root(proc / "1"), _root(proc / "self")
    return nodes is not None and nodes != ours


def _root(process: Path) -> str | None:
    """Device and folder of what is mounted at its root; anybody may read that."""
    try:
        mounts = [line.split(" ") for line in (process / "mountinfo").read_text(errors="replace").splitlines()]
    except OSError:
        return None
    return next((" ".join(one[2:4]) for one in reversed(mounts) if len(one) > 4 and one[4] == "/"), None)
