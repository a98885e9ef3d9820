"""Whether lines of the kernel are in the journal: journalctl is asked, within a bound of bytes and time."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from kmsg_exporter.why.logfiles import Search, Sought

MAX_BYTES: Final = 64 << 20
MAX_SECONDS: Final = 20.0
JOURNALCTL: Final = "journalctl"
_NAME: Final = "the journal"
_SAID_BYTES: Final = 4096
_TOO_MUCH: Final = "read only in part, there is too much"


def search(
    sought: Sequence[Sought],
    folders: Sequence[Path],
    *,
    own: bool = True,
    program: str | Path = JOURNALCTL,
    named: Callable[[Path], str] = str,
    max_bytes: int = MAX_BYTES,
    max_seconds: float = MAX_SECONDS,
) -> Search:
    """By text and the kernel's own time, which the journal keeps.

    `folders` is where journals are; journalctl is told which, unless they are this system's `own`, as it has them.
    """
    found = Search(sought)
    if not sought:
        return found
    there = [] if own else [folder for folder in folders if _has_files(folder, found, named)]
    deadline = time.monotonic() + max_seconds
    try:
        for place in [()] if own else [(f"--directory={folder}",) for folder in there]:
            command = (str(program), "--dmesg", "--no-pager", *place)
            if complaint := _ask(command, found, max_bytes, deadline):
                found.unread.append(f"{_NAME}: {complaint}")
            elif _NAME not in found.read:
                found.read.append(_NAME)
    except FileNotFoundError:
        there = there or [folder for folder in folders if own and _has_files(folder, found, named)]
        if there:
            found.unread.append(f"{_NAME}: there is no journalctl here to read {named(there[0])} with")
    except OSError as exc:
        found.unread.append(f"{_NAME}: {exc.filename or program}: {exc.strerror}")
    return found


def _has_files(folder: Path, found: Search, named: Callable[[Path], str]) -> bool:
    """Whether a journal is there: journald leaves empty folders behind when it moves from memory to the disk."""
    try:
        names = os.listdir(folder)
        for inside in [folder / name for name in names]:
            names += os.listdir(inside) if inside.is_dir() else []
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as exc:
        found.unread.append(f"{_NAME}: {named(Path(exc.filename))}: {exc.strerror}")
        return False
    return any(name.endswith((".journal", ".journal~")) for name in names)


def _ask(command: Sequence[str], found: Search, max_bytes: int, deadline: float) -> str:
    """What it could not read, or "".

    Asked for JSON it is as quiet as with --quiet: that there is no journal, and that the system's may not be seen, it
    says to persons only. So it is asked for one line first.
    """
    whole, complaint = _run([*command, "--lines=1"], found, max_bytes, deadline)
    if whole:
        fields = "--output-fields=MESSAGE,_SOURCE_MONOTONIC_TIMESTAMP"
        whole, second = _run([*command, "--output=json", fields, "--reverse"], found, max_bytes, deadline)
        complaint = complaint or second
    if not whole and not all(found.where):
        return _TOO_MUCH
    return complaint


def _run(command: Sequence[str], found: Search, max_bytes: int, deadline: float) -> tuple[bool, str]:
    """Whether all of what it prints was read, and what it complained of."""
    with TemporaryFile() as errors:  # which can't block it, as a pipe that nobody reads would
        environ = os.environ | {"SYSTEMD_LOG_LEVEL": "info"}
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environ
        ) as process:
            code = 0
            try:
                whole = process.stdout is not None and _read(process.stdout, found, max_bytes, deadline)
                if whole:
                    code = process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                whole = False
            finally:
                process.kill()
        errors.seek(0)
        said = " ".join(errors.read(_SAID_BYTES).decode(errors="replace").split())
    return whole, said.replace(" Pass -q to turn off this notice.", "") or (
        f"journalctl ended with {code}" if code else ""
    )


def _read(stream: IO[bytes], found: Search, max_bytes: int, deadline: float) -> bool:
    """False when it was too much, or too slow."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return False
            chunk = os.read(stream.fileno(), 1 << 16)
            max_bytes -= len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines if chunk else [rest]:
                _entry(line, found)
            if not chunk:
                return True
            if max_bytes < 0:
                return False


def _entry(line: bytes, found: Search) -> None:
    try:
        entry = json.loads(line) if line.strip() else {}
        message, source = entry.get("MESSAGE"), entry.get("_SOURCE_MONOTONIC_TIMESTAMP")
    except (ValueError, AttributeError, RecursionError):
        return
    if isinstance(message, list):  # not UTF-8: the journal gives the bytes as numbers
        message = bytes(byte for byte in message if isinstance(byte, int) and 0 <= byte < 256)
    elif isinstance(message, str):
        message = message.encode(errors="replace")
    else:
        return
    for index, one in enumerate(found.sought):
        if one.text in message and source in (None, str(one.record.usec)) and not found.where[index]:
            found.where[index].append(_NAME)
