"""What CONTRIBUTING.md shows beside the tests themselves: a guest's shell, and what makes files of other files anew."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from copy_of_machine import Machine

TOP = Path(__file__).parents[2]
COMMAND = "python tests/guest/boot.py 6.1 -i -- bash"
LOCKS = ("git show :requirements.lock", "cat requirements.lock")
PROMPT, SAID = b"# ", b"a shell on 6.1.0-"


def test_a_guest_gives_a_shell() -> None:
    ours, theirs = pty.openpty()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with subprocess.Popen(
        COMMAND.split(), cwd=TOP, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "PATH": path}
    ) as guest:
        os.close(theirs)
        said, asked = b"", False
        while True:
            try:
                said += os.read(ours, 4096)
            except OSError:  # EIO: nobody has the terminal any more
                break
            if not asked and PROMPT in said:
                os.write(ours, b'echo "a shell on" $(uname -r)\nexit 7\n')
                asked = True
    os.close(ours)
    assert (SAID in said, guest.returncode) == (True, 7), said.decode(errors="replace")


def test_what_is_made_anew_is_what_was_there(machine: Machine) -> None:
    machine.run("git init -q && git add -A && make .venv/dev.stamp")
    machine.run(".venv/bin/python docs/generate.py")
    machine.run(".venv/bin/python deploy/systemd/environment.py")
    machine.run(".venv/bin/python grafana/make.py")
    machine.run(".venv/bin/python tests/chart/sync.py")
    assert machine.run("git diff --stat").stdout == ""


def test_the_tests_of_one_folder_are_run(machine: Machine) -> None:
    assert " passed in " in machine.run(".venv/bin/python -m pytest tests/unit/push").stdout


def test_the_lock_files_are_made_anew(machine: Machine) -> None:
    """With what is newest today: only that they are made of the same packages is held."""
    machine.run("make lock")
    before, after = (set(machine.run(f"{read} | grep -o '^[a-z0-9-]*=='").stdout.split()) for read in LOCKS)
    assert len(before & after) > 10
