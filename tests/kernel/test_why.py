"""Three stories, each with a real OOM kill: `why` names the cause, and shows the line that nobody finds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import NOBODY, all_records, environment, eventually, printk, running, visible_records

pytestmark = [pytest.mark.guest, pytest.mark.backends("kprobe"), pytest.mark.kernels("5.10", "6.12")]
RSYSLOG = Path("/opt/rsyslog")
CGROUP = Path("/sys/fs/cgroup")
VICTIM = "open('/proc/self/comm', 'w').write('payments'); kept = [bytearray(b'x' * (1 << 20)) for _ in range(64)]"


def kill_for_memory() -> int:
    """The kernel kills a process that outgrows its cgroup, and says so in its log; the process's id."""
    (CGROUP / "cgroup.subtree_control").write_text("+memory")
    shop = CGROUP / "shop"
    shop.mkdir(exist_ok=True)
    (shop / "memory.max").write_text("24M")
    into = f"import os; open('{shop}/cgroup.procs', 'w').write(str(os.getpid())); "
    process = subprocess.Popen([sys.executable, "-c", into + VICTIM])
    assert process.wait() == -signal.SIGKILL
    return process.pid


def why(*flags: str, state: Path, expected: int = 3, user: int | None = None) -> list[dict[str, Any]]:
    """The findings, most likely cause first."""
    done = subprocess.run(
        [sys.executable, "-m", "kmsg_exporter", "why", "--json", f"--state-directory={state}", *flags],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        user=user,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["exit_code"] == expected
    found: list[dict[str, Any]] = document["findings"]
    return found


def causes(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in found if one["verdict"] == "cause"]


def overwrite_what_is_hidden() -> None:
    """Until no clear hides anything that the ring still has."""
    while int(all_records()[0].split(",")[1]) < int((visible_records() or ["0,999999999"])[0].split(",")[1]):
        for _ in range(200):
            printk("<6>why: " + "x" * 800)


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n:\n")
    path.chmod(0o755)
    return path


def test_cleared_by_crons_script_while_the_agent_runs(tmp_path: Path, backend: str) -> None:
    cleanup = script(tmp_path / "cleanup.sh", "dmesg -C")
    cron = script(tmp_path / "cron", str(cleanup))
    with running(tmp_path / "agent", backend) as agent:
        pid = kill_for_memory()
        subprocess.run([cron], check=True)
        eventually(lambda: [one for one in agent.events() if "run by cleanup.sh" in one["body"]])
        clear, kill = causes(why(state=agent.directory / "state"))[:2]
    assert clear["what"].startswith("a clear hides ")
    assert clear["what"].endswith(" records: dmesg shows nothing")
    by = [line for line in clear["evidence"] if "run by cleanup.sh <- cron" in line]
    assert len(by) == 1
    assert " dmesg (/usr/bin/dmesg, pid " in by[0]
    assert not [line for line in clear["evidence"] if "not known" in line]
    assert kill["what"].startswith(f"an OOM kill ({pid} (payments), ")
    assert kill["what"].endswith("is nowhere but in the kernel's ring")
    assert f"Killed process {pid} (payments)" in kill["evidence"][0]
    assert kill["evidence"][1].startswith("dmesg does not show it: a clear hides it")


@pytest.mark.kernels("6.12")
def test_cleared_a_moment_ago_again_and_again(tmp_path: Path, backend: str) -> None:
    """A running agent tells one emptying a second: what it has seen and not told yet is waited for."""
    with running(tmp_path / "agent", backend) as agent:
        for number in range(6):
            printk(f"<6>why: {number}")
            subprocess.run([script(tmp_path / f"burst-{number % 2}.sh", "dmesg -C")], check=True)
            if number % 2:
                clear = causes(why(state=agent.directory / "state"))[0]
                assert not [line for line in clear["evidence"] if "not known" in line]
                assert " run by burst-" in clear["evidence"][1]


def test_cleared_before_the_agent_was_installed(tmp_path: Path) -> None:
    pid = kill_for_memory()
    subprocess.run(["dmesg", "-C"], check=True)
    printk("<6>why: and then something")
    found = why(state=tmp_path / "none")
    assert not [one for one in found if "looked up" in one["what"]]
    clear, kill = causes(found)[:2]
    assert clear["what"].startswith("a clear hides ")
    assert "dmesg shows only the " in clear["what"]
    assert "cleared at some time between " in clear["evidence"][1]
    assert clear["evidence"][2] == "by whom is not known: no agent ran then; while it runs it names who clears"
    assert f"Killed process {pid} (payments)" in kill["evidence"][0]


@contextmanager
def rsyslogd(rules: str) -> Iterator[None]:
    """Debian's own, with these rules."""
    Path("/etc/rsyslog.conf").write_text(f'module(load="imklog")\n{rules}')
    Path("/var/log").mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [RSYSLOG / "rsyslogd", "-n", "-i", "/run/rsyslogd.pid", "-M", RSYSLOG],
        env=os.environ | {"LD_LIBRARY_PATH": str(RSYSLOG)},
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)
        Path("/etc/rsyslog.conf").unlink()


def written(path: str, text: str) -> bool:
    return Path(path).exists() and text in Path(path).read_text(errors="replace")


def test_nothing_was_cleared_but_rsyslogs_rules_send_the_kernels_lines_elsewhere(tmp_path: Path) -> None:
    overwrite_what_is_hidden()
    rules = "kern.* -/var/log/firewall.log\n& stop\n*.* -/var/log/syslog\n"
    with rsyslogd(rules):
        pid = kill_for_memory()
        text = f"Killed process {pid} (payments)"
        eventually(lambda: written("/var/log/firewall.log", text), why="rsyslogd has written the line")
        found = why(state=tmp_path / "none")
        kill = causes(found)[0]
        assert not [one for one in found if "a clear hides" in one["what"]]
        assert kill["what"].startswith(f"an OOM kill ({pid} (payments), ")
        assert kill["what"].endswith(" is in none of the usual files but in /var/log/firewall.log")
        assert any(line.startswith("it is at /var/log/firewall.log:") for line in kill["evidence"])
        assert "rsyslog's rule for it: /etc/rsyslog.conf:2: kern.* -/var/log/firewall.log" in kill["evidence"]
        assert "rsyslog's rules end for it here: /etc/rsyslog.conf:3: & stop" in kill["evidence"]
        readers = next(one for one in found if one["what"].endswith(" the log open for reading"))
        assert any("rsyslogd[" in line and "reads /proc/kmsg" in line for line in readers["evidence"])
        with Path("/proc/kmsg").open("rb") as log:  # not held by this process, which is rsyslogd's parent
            other = subprocess.Popen(["sleep", "3600"], stdin=log)
        try:
            stealing = [one for one in causes(why(state=tmp_path / "none")) if "take lines away" in one["what"]]
        finally:
            other.kill()
            other.wait(60)
        assert len(stealing[0]["evidence"]) == 2
    Path("/var/log/firewall.log").unlink()


@pytest.mark.kernels("6.12")
def test_a_line_that_rsyslog_writes_where_people_look_is_no_cause(tmp_path: Path) -> None:
    with rsyslogd("*.*;auth,authpriv.none -/var/log/syslog\nkern.* -/var/log/kern.log\n"):
        pid = kill_for_memory()
        eventually(lambda: written("/var/log/kern.log", f"Killed process {pid} (payments)"))
        found = why(state=tmp_path / "none")
    kill = next(one for one in found if f"({pid} (payments)" in one["what"])
    assert (kill["verdict"], kill["what"].rpartition(" is in ")[2]) == ("note", "/var/log/kern.log")


@pytest.mark.kernels("6.12")
def test_a_user_who_may_not_read_the_log_is_told_so(tmp_path: Path) -> None:
    Path("/proc/sys/kernel/dmesg_restrict").write_text("1")
    first = why(state=tmp_path / "none", expected=1, user=NOBODY)[0]
    assert first["what"] == "dmesg is refused to this user: kernel.dmesg_restrict is 1, and CAP_SYSLOG is missing"
    assert first["remedy"] == "run dmesg, and this, as root"
