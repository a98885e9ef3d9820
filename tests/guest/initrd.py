"""The initramfs of one guest: the small root, and over it the command and what is copied in."""

from __future__ import annotations

import compileall
import os
import shlex
import shutil
import stat
from dataclasses import dataclass
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Sequence

_INIT = Path(__file__).parent / "init"
_PYTHON_3_11_MAGIC = (3495).to_bytes(2, "little") + b"\r\n"
_MERGED = {"bin", "sbin", "lib", "lib64"}  # links into /usr in the root, which a directory of that name would replace


@dataclass(frozen=True)
class Copy:
    """A file or directory of the host and its absolute path in the guest."""

    source: Path
    dest: str

    @classmethod
    def parse(cls, text: str) -> Copy:
        """`DIR:/DEST`, or `DIR` alone for `/<name of DIR>`."""
        source, _, dest = text.partition(":")
        return cls(Path(source), dest or "/" + Path(source).resolve().name)


def stage(staged: Path, command: Sequence[str], copies: Sequence[Copy]) -> None:
    """Lay out in `staged` what one boot adds to the root, Python byte-compiled for where it will be.

    Caches, virtual environments and .git stay behind. Raises FileNotFoundError for a source that is not there.
    """
    staged.mkdir()
    for copy in copies:
        parts = Path(copy.dest).parts[1:]
        inside = Path("usr" if parts[:1] and parts[0] in _MERGED else "", *parts)
        target = staged / inside
        if copy.source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", ".git", ".venv", ".*_cache")
            shutil.copytree(copy.source, target, symlinks=True, ignore=ignore, dirs_exist_ok=True)
            _byte_compile(target, Path("/") / inside)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(copy.source, target)
    shutil.copy2(_INIT, staged / "init")
    script = staged / "run-command"
    script.write_text(f"#!/bin/sh\nexec {shlex.join(command)}\n")
    script.chmod(0o755)


def _byte_compile(directory: Path, inside: Path) -> None:
    if MAGIC_NUMBER != _PYTHON_3_11_MAGIC:
        return  # the guest's Python would not read what this one writes
    mode = PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(directory, ddir=str(inside), quiet=2, invalidation_mode=mode)


def write(initrd: Path, root: Path, staged: Path) -> None:
    """Write the root's archive and then one of what is staged: the kernel unpacks the second over the first.

    Not compressed: unpacking costs an emulated guest more than reading does.
    """
    with initrd.open("wb") as file:
        with root.open("rb") as base:
            shutil.copyfileobj(base, file, 1 << 20)
        for number, path in enumerate(sorted(staged.rglob("*")), start=1):
            _write_entry(file, number, path, str(path.relative_to(staged)))
        _write_entry(file, 0, None, "TRAILER!!!")


def _write_entry(file: BinaryIO, number: int, path: Path | None, name: str) -> None:
    """One entry of a cpio archive in the "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    mode = mtime = 0
    content = b""
    if path is not None:
        status = path.lstat()
        mode, mtime = status.st_mode, int(status.st_mtime)
        if stat.S_ISLNK(mode):
            content = os.fsencode(path.readlink())
        elif stat.S_ISREG(mode):
            content = path.read_bytes()
        elif stat.S_ISDIR(mode):
            mode = stat.S_IFDIR | 0o755  # whatever the umask was: it may be a directory of the root, /usr say
        else:
            return
    encoded = os.fsencode(name) + b"\0"
    fields = (number, mode, 0, 0, 1, mtime, len(content), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
    for part in (header, content):
        file.write(part + b"\0" * (-len(part) % 4))
