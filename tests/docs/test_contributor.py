"""What CONTRIBUTING.md shows beside the tests themselves: a shell in a booted guest, on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[2]
COMMAND = "python tests/guest/boot.py 6.1 -i -- bash"
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
