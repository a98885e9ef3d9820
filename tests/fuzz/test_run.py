"""The runner: a fault that is planted is found and shown, and the corpus is small."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run(findings: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "run.py"), f"--findings={findings}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_crash_behind_four_bytes_is_found_and_its_input_is_left(tmp_path: Path) -> None:
    done = run(tmp_path, "--seconds=60", "planted.crash")
    assert (done.returncode, "ValueError: planted" in done.stderr) == (1, True)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith("planted.crash-crash-")
    assert left.read_bytes().startswith(b"kmsg")


def test_input_that_was_left_fails_again(tmp_path: Path) -> None:
    found = tmp_path / "found"
    found.write_bytes(b"kmsg")
    command = [sys.executable, str(HERE / "child.py"), "planted.crash", str(tmp_path), str(found)]
    again = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path)
    assert (again.returncode != 0, "ValueError: planted" in again.stdout) == (True, True)


def test_input_that_hangs_is_found(tmp_path: Path) -> None:
    done = run(tmp_path, "--input-seconds=1", "planted.hang")
    assert (done.returncode, "libFuzzer: timeout" in done.stderr) == (1, True)


def test_memory_that_grows_is_found(tmp_path: Path) -> None:
    done = run(tmp_path, "--seconds=60", "planted.hoard")
    assert (done.returncode, "libFuzzer: out-of-memory" in done.stderr) == (1, True)


def test_target_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    done = run(tmp_path, "nothing")
    assert (done.returncode, "No module named 'targets.nothing'" in done.stderr) == (1, True)


def test_decoder_without_a_fault_passes_and_shows_how_often_it_ran(tmp_path: Path) -> None:
    done = run(tmp_path, "--seconds=1", "container")
    assert (done.returncode, done.stderr) == (0, "")
    name, executions, *_ = done.stdout.splitlines()[1].split()
    assert name == "container"
    assert int(executions) > 100
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", sorted(path.name for path in (HERE / "corpus").iterdir()))
def test_what_is_kept_is_for_a_target(folder: str) -> None:
    assert (HERE / "targets" / f"{folder}.py").is_file()


def test_what_is_kept_is_small() -> None:
    assert sum(path.stat().st_size for path in (HERE / "corpus").rglob("*") if path.is_file()) < 300_000
