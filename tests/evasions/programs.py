"""How each way to use the log is started, and what whoever does it is then called; no knowledge of the agent."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from support import CLEAR, program32

CONTAINER = "e5ca9e" + 29 * "d0"
_PATH_MAX = 4096  # with the byte that ends it


@dataclass(frozen=True)
class Place:
    """Where one way has its files: `evade` is the program of all ways, in the same file system."""

    key: str
    directory: Path
    evade: Path

    def program(self, name: str | None = None) -> str:
        """The program under a path, and so a comm and an executable, of its own."""
        path = self.directory / (name or self.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(self.evade)
        return str(path)


@dataclass(frozen=True)
class Start:
    """A command, and who uses the log then: `comm` and `exe` where the program can't report what the kernel says of it.

    `run_as` is the path that execve was given, where that is not the executable's own; `above` stands between it and
    its starter, nearest first, as (comm, exe).
    """

    command: Sequence[str | bytes]
    comm: str | None = None
    exe: str | None = None
    run_as: str | None = None
    above: tuple[tuple[str, str], ...] = ()
    directory: str | None = None


Prepare = Callable[[Place], Start]


def evade(*words: str) -> Prepare:
    """One of the program's ways, by itself."""
    return lambda place: Start([place.program(), *words])


def by_child(*words: str) -> Prepare:
    """One that has a child of its own do it."""

    def prepare(place: Place) -> Start:
        program = place.program()
        return Start([program, *words], above=((place.key, program),))

    return prepare


def reused(place: Place) -> Start:
    """The one that clears is a child; a program of another name has its pid when it is gone."""
    program = place.program()
    return Start([program, "reused", place.program("another")], above=((place.key, program),))


def by_worker(place: Place) -> Start:
    """A thread of the kernel's making reads for it, and is called by a name with the caller's pid."""
    return Start([place.program(), "uring", "/dev/kmsg"], comm="iou-wrk-*")


def with_another(*words: str) -> Prepare:
    """One that also runs a second program."""
    return lambda place: Start([place.program(), *words, place.program("another")])


def by_descriptor(*words: str) -> Prepare:
    """One that runs what no path leads to: execve is given the descriptor's, the only one free."""
    return lambda place: Start([place.program(), *words], run_as="/dev/fd/3")


def by_memfd(place: Place) -> Start:
    return Start([place.program(), "memfd", "of no directory"], run_as="/dev/fd/4")


def passed_on(file: str) -> Prepare:
    """One opens the file, the other reads it."""
    return lambda place: Start([place.program("opener"), "pass", file, place.program()])


def program_32_bit(place: Place) -> Start:
    path = program32(place.directory / place.key, CLEAR)
    return Start([str(path)], place.key, str(path))


def script(place: Place) -> Start:
    path = place.directory / place.key
    path.write_text(f"#!{place.program('interpreter')} clear\n")
    path.chmod(0o755)
    return Start([str(path)])


def script_written_anew(place: Place) -> Start:
    """It names another interpreter when it is gone."""
    path = place.directory / place.key
    path.write_text(f"#!{place.program('interpreter')} written\n")
    path.chmod(0o755)
    return Start([str(path), place.program("another")], run_as=str(path))


def symlink(place: Place) -> Start:
    path = place.directory / place.key
    path.symlink_to(place.program("target"))
    return Start([str(path), "clear"])


def symlink_turned(place: Place) -> Start:
    """It leads to another program when it is gone."""
    path = place.directory / place.key
    path.symlink_to(place.program("target"))
    return Start([str(path), "turned", place.program("another")], run_as=str(path))


def relative(place: Place) -> Start:
    """Its parent is where it is."""
    place.program()
    return Start([f"./{place.key}", "clear"], run_as=f"./{place.key}", directory=str(place.directory))


def moved(place: Place) -> Start:
    """Relative to another directory than its parent's, which lives and has a program of that name too."""
    place.program()
    place.program(f"elsewhere/{place.key}")
    parent, mover = place.program("parent"), place.program("mover")
    command = [parent, "outlive", mover, "exec", str(place.directory / "elsewhere"), f"./{place.key}", "clear"]
    return Start(command, run_as=f"./{place.key}", above=(("parent", parent),), directory=str(place.directory))


def in_chroot(place: Place) -> Start:
    """By a path that is another's outside: the shell's."""
    (place.directory / "root/proc").mkdir(parents=True)
    shell = os.path.realpath("/bin/sh")
    inside = place.program(f"root{shell}")
    return Start([place.program(), "chroot", str(place.directory / "root"), shell], Path(shell).name, inside, shell)


def busybox(name: str, *words: str) -> Prepare:
    """The applet under a name of its own."""

    def prepare(place: Place) -> Start:
        copy = place.directory / "busybox"
        shutil.copy2(shutil.which("busybox") or "busybox", copy)
        if name == "busybox":
            above = (("busybox", str(copy)),) if "sh" in words else ()
            return Start([str(copy), *words], "dmesg" if "sh" in words else "busybox", str(copy), above=above)
        (place.directory / name).symlink_to(copy)
        return Start([str(place.directory / name), *words], name, str(copy))

    return prepare


def called(name: bytes) -> Prepare:
    return lambda place: Start([place.program(), "named", name])


def not_utf8(place: Place) -> Start:
    directory = os.fsencode(place.directory) + b"/\xe9t\xe9 \x1b[1m\n\\x"
    Path(os.fsdecode(directory)).mkdir()
    path = directory + b"/" + place.key.encode()
    os.link(place.evade, path)
    return Start([path, "clear"])


def longest_path(place: Place) -> Start:
    """As long as execve takes one."""
    directory = str(place.directory)
    while (left := _PATH_MAX - 1 - len(directory) - len(place.key) - 1) > 0:
        directory += "/" + "d" * (left - 1 if left < 200 else min(200, left - 100))
        Path(directory).mkdir()
    path = f"{directory}/{place.key}"
    os.link(place.evade, path)
    return Start([path, "clear"])


def too_deep(place: Place) -> Start:
    """In a directory whose path is longer than the kernel can say."""
    here = os.open(place.directory, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(_PATH_MAX // 200 + 1):
        os.mkdir("d" * 200, dir_fd=here)
        deeper = os.open("d" * 200, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = deeper
    os.link(place.evade, place.key, dst_dir_fd=here)
    # the descriptor is left open: it is the only name of the directory
    return Start([f"./{place.key}", "clear"], run_as=f"./{place.key}", directory=f"/proc/{os.getpid()}/fd/{here}")


def in_mount_namespace(place: Place) -> Start:
    target = place.directory / "there"
    target.touch()
    program = place.program()
    return Start([program, "mntns", str(target)], "there", str(target), above=((place.key, program),))


def in_container(place: Place) -> Start:
    """A container of runc's, with namespaces and a root of its own."""
    rootfs = place.directory / "rootfs"
    place.program(f"rootfs/bin/{place.key}")
    (rootfs / "proc").mkdir()
    capabilities = ["CAP_SYSLOG"]
    config = {
        "ociVersion": "1.0.2",
        "root": {"path": str(rootfs)},
        "process": {
            "args": [f"/bin/{place.key}", "clear"],
            "cwd": "/",
            "user": {"uid": 0, "gid": 0},
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        },
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts", "network")],
            "cgroupsPath": f"/kubepods/{CONTAINER}",
        },
    }
    (place.directory / "config.json").write_text(json.dumps(config))
    runc = os.path.realpath(shutil.which("runc") or "runc")
    # an initramfs is no root that one can pivot away from
    command = [runc, "run", "--no-pivot", "--bundle", str(place.directory), CONTAINER]
    return Start(command, above=(("runc", runc),))


def starter() -> tuple[str, str]:
    """(comm, exe) of this process."""
    return Path("/proc/self/comm").read_text().removesuffix("\n"), os.path.realpath(sys.executable)
