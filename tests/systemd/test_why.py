"""`why` and a real journal: the line is in it for root, nobody could not look, and a container looks at the node's."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from node import PACKAGE, eventually, run

CGROUP = Path("/sys/fs/cgroup")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
VICTIM = "open('/proc/self/comm', 'w').write('payments'); kept = [bytearray(b'x' * (1 << 20)) for _ in range(64)]"
CONTAINER = """
mount -t tmpfs none /mnt && cd /mnt && mkdir etc tmp
for shared in usr proc dev sys; do mkdir $shared; mount --rbind /$shared $shared; done
for merged in bin lib lib64; do ln -s usr/$merged $merged; done
exec chroot . "$@"
"""


@pytest.fixture(scope="module", autouse=True)
def _kill() -> None:
    """The kernel kills a process that outgrows its cgroup, and the journal has it."""
    run("dpkg", "--install", PACKAGE)
    (CGROUP / "cgroup.subtree_control").write_text("+memory")
    shop = CGROUP / "shop"
    shop.mkdir()
    (shop / "memory.max").write_text("24M")
    into = f"import os; open('{shop}/cgroup.procs', 'w').write(str(os.getpid())); "
    assert subprocess.run([sys.executable, "-c", into + VICTIM], check=False).returncode == -signal.SIGKILL
    eventually(lambda: "(payments)" in run("journalctl", "--dmesg", "--no-pager"), why="the journal has the line")


def why(*before: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What is said of the kill, and all that is."""
    printed = run(*before, "kmsg-exporter", "why", "--json", "--state-directory=/nonexistent", check=False)
    found: list[dict[str, Any]] = json.loads(printed)["findings"]
    (kill,) = [one for one in found if "(payments)" in one["what"]]
    return kill, [one for one in found if "the journal" in one["what"]]


def test_root_is_told_that_the_line_is_in_the_journal() -> None:
    kill, journal = why()
    assert (kill["verdict"], kill["what"].rpartition(") ")[2]) == ("note", "is in the journal and in no log file")
    assert "it is at the journal" in kill["evidence"]
    assert [one for one in journal if one["verdict"] == "unseen"] == []


def test_nobody_is_told_that_it_could_not_look() -> None:
    Path("/proc/sys/kernel/dmesg_restrict").write_text("0")
    kill, journal = why(*NOBODY)
    assert (kill["verdict"], kill["what"].rpartition(") ")[2]) == ("unseen", "was not found in what could be read")
    assert kill["evidence"][-1] == "looked in: nothing"
    (unseen,) = [one for one in journal if one["verdict"] == "unseen"]
    assert unseen["what"].startswith("not looked through: the journal: ")
    assert unseen["remedy"] == "run it as root"
    print(unseen["what"])


def test_a_container_with_a_root_of_its_own_looks_at_the_nodes_journal() -> None:
    kill, journal = why("unshare", "--mount", "sh", "-c", CONTAINER, "sh")
    assert "it is at the journal" in kill["evidence"]
    assert [one for one in journal if one["verdict"] == "unseen"] == []
