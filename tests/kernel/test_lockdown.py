"""What a kernel under lockdown lets the agent see. Run in a guest that was booted so: KMSG_LOCKDOWN names the mode."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support import environment, eventually, printk, running

MODE = os.environ.get("KMSG_LOCKDOWN", "none")


def doctor() -> tuple[int, str]:
    found = subprocess.run(
        [sys.executable, "-m", "kmsg_exporter", "doctor"],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
    )
    return found.returncode, found.stdout


def test_doctor_names_the_lockdown_and_its_exit_code_says_what_is_left() -> None:
    code, text = doctor()
    assert f"[{MODE}]" in Path("/sys/kernel/security/lockdown").read_text()
    if MODE == "confidentiality":
        assert code == 1
        assert "NO   lockdown" in text
        assert "Only the state of the log can be watched on this node" in text
    else:
        assert code == 0
        assert "with the kprobe backend" in text


def test_the_agent_sees_what_the_kernel_allows(tmp_path: Path) -> None:
    with running(tmp_path, "auto") as agent:
        printk("under lockdown")
        subprocess.run(["dmesg", "-C"], check=True)
        eventually(lambda: agent.value("kmsg_emptied_total") == 1)
        if MODE == "confidentiality":
            assert agent.value("kmsg_exporter_backend_info", backend="state") == 1
            assert agent.value("kmsg_unattributed_clears_total") == 1
        else:
            assert agent.value("kmsg_exporter_backend_info", backend="kprobe") == 1
            assert agent.value("kmsg_clears_total", comm="dmesg") == 1


def test_a_backend_that_is_asked_for_by_name_and_can_not_be_had_is_an_error(tmp_path: Path) -> None:
    if MODE != "confidentiality":
        return  # every backend can be had
    refused = subprocess.run(
        [sys.executable, "-m", "kmsg_exporter", "run", "--backend=kprobe", f"--state-directory={tmp_path}"],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert refused.returncode == 1
    assert "lockdown" in refused.stderr
