"""make guests passes only where every guest that it is to boot was booted and passed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

GUESTS = Path(__file__).parents[1] / "kernel" / "guests.sh"
PASSES = "exit 0"
MADE_BEFORE = ("tests/guest/setup.sh", "tests/kernel/rsyslog.sh", "tests/evasions/copies.sh")


def guests(top: Path, boot: str, **made_by: str) -> subprocess.CompletedProcess[str]:
    """The script, where booting a guest is this line of shell, and so is each script that makes what guests need."""
    made = {path: made_by.get(Path(path).stem, PASSES) for path in MADE_BEFORE}
    for path, line in {"tests/kernel/boot.sh": boot, **made}.items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(f"#!/bin/sh\n{line}\n")
        (top / path).chmod(0o755)
    script = top / "tests" / "kernel" / GUESTS.name
    shutil.copy(GUESTS, script)
    return subprocess.run([script], check=False, capture_output=True, text=True, timeout=60, start_new_session=True)


def test_it_passes_where_each_guest_does(tmp_path: Path) -> None:
    ran = guests(tmp_path, PASSES)
    assert ran.returncode == 0
    assert [line for line in ran.stdout.splitlines() if line.startswith("## passed")] == [
        "## passed: boot 5.10 kprobe",
        "## passed: boot 6.1 kprobe tracepoint state",
        "## passed: boot 6.1 --append=lockdown=integrity lockdown",
        "## passed: boot 6.1 --append=lockdown=confidentiality lockdown",
        "## passed: boot 6.1-arm64 kprobe",
        "## passed: boot 6.12 kprobe function",
    ]


@pytest.mark.parametrize(
    ("boot", "said"),
    [
        ('[ "$1" != 5.10 ]', ["## not passed: boot 5.10 kprobe"]),
        ('[ "$1" != 6.12 ]', ["## not passed: boot 6.12 kprobe function"]),
        (  # the second lane is killed in its first guest
            '[ "$1" != 6.1-arm64 ] || kill -9 0',
            ["## not passed: boot 6.1-arm64 kprobe", "## not passed: boot 6.12 kprobe function"],
        ),
    ],
    ids=["a guest of the first lane fails", "one of the second does", "the second lane is killed"],
)
def test_it_fails_and_says_which_guest_did_not_pass(tmp_path: Path, boot: str, said: list[str]) -> None:
    ran = guests(tmp_path, boot)
    assert ran.returncode == 1
    assert [line for line in ran.stdout.splitlines() if line.startswith("## not passed")] == said


@pytest.mark.parametrize("script", [Path(path).stem for path in MADE_BEFORE])
def test_no_guest_is_booted_without_what_it_needs(tmp_path: Path, script: str) -> None:
    ran = guests(tmp_path, PASSES, **{script: "echo 'no such package' >&2; exit 1"})
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "no such package\n"
