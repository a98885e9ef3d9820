"""A copy of this machine that is thrown away: a root file system and mounts of its own, the real kernel and devices."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeVar

T = TypeVar("T")

TOP = Path(__file__).parents[2]
CHECKOUT = "/srv/kmsg-exporter"
DEADLINE_SECONDS = 300.0  # only bounds a failure
_ENTER = """
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for name in proc sys dev; do mount --rbind "/$name" "$1/root/$name"; done
mount -t tmpfs none "$1/root/run"
rm -rf "$1/root/var/lib/kmsg-exporter" "$1/root/etc/default/kmsg-exporter"
mkdir -p "$1/root$2"
echo ready
exec sleep infinity
"""


def eventually(ask: Callable[[], T | Literal[False] | None], what: str) -> T:
    """What `ask` returns as soon as that is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DEADLINE_SECONDS:g} s: {what}")
        time.sleep(0.1)


def get(url: str) -> str:
    """What is there; "" while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            text: str = answer.read().decode()
            return text
    except (urllib.error.URLError, OSError):
        return ""


class Machine:
    """`/srv/kmsg-exporter` in it is what git has of this checkout, with what was changed since."""

    def __init__(self, holder: int, root: str) -> None:
        self._enter = ["nsenter", f"--mount=/proc/{holder}/ns/mnt", "chroot", root]
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True)
        there = b"\0".join(name for name in listed.stdout.split(b"\0") if name and (TOP / os.fsdecode(name)).exists())
        tar = subprocess.run(
            ["tar", "--null", "--files-from=-", "-c"], cwd=TOP, input=there, capture_output=True, check=True
        )
        subprocess.run([*self._enter, "tar", "-x", "-C", CHECKOUT], input=tar.stdout, check=True)

    def write(self, path: str, text: str, mode: str = "644") -> None:
        command = [*self._enter, "sh", "-c", 'mkdir -p "$(dirname "$1")"; cat > "$1"; chmod "$2" "$1"', "-", path, mode]
        subprocess.run(command, input=text, text=True, check=True)

    def read(self, path: str) -> str:
        return self.run(f"cat {path}").stdout

    def start(self, command: str, output: Path, **environ: str) -> subprocess.Popen[bytes]:
        """In the checkout, as somebody types it; both streams go to `output`."""
        with output.open("wb") as file:
            return subprocess.Popen(
                [*self._enter, "bash", "-c", f"cd {CHECKOUT} && {command}"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=_environ(environ),
                start_new_session=True,
            )

    def run(self, commands: str, allowed: tuple[int, ...] = (0,), **environ: str) -> subprocess.CompletedProcess[str]:
        """In the checkout, each line as somebody types it. Raises AssertionError when one ends otherwise."""
        done = subprocess.run(
            [*self._enter, "bash", "-ec", f"cd {CHECKOUT}\n{commands}"],
            capture_output=True,
            text=True,
            env=_environ(environ),
            check=False,
        )
        assert done.returncode in allowed, f"{commands!r} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done


def interrupt(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C: everything that was started on that terminal gets it."""
    os.killpg(process.pid, signal.SIGINT)
    return process.wait(DEADLINE_SECONDS)


@contextmanager
def copy_of_machine(folder: Path) -> Iterator[Machine]:
    """Gone with all that was written to it when the block ends."""
    enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "-", str(folder), CHECKOUT]
    with subprocess.Popen(enter, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"ready\n"
            yield Machine(holder.pid, f"{folder}/root")
        finally:
            holder.kill()


def _environ(more: Mapping[str, str]) -> dict[str, str]:
    path = f"{CHECKOUT}/.venv/bin:{os.environ['PATH']}"
    ours = ("KMSG_EXPORTER_", "OTEL_", "MAKE", "MFLAGS")  # nor is a stranger inside of make
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PATH": path, "PIP_NO_CACHE_DIR": "1", **more}
