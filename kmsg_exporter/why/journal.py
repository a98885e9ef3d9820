"""Whether lines of the kernel are in the journal: journalctl is asked, within a bound of bytes and time."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from kmsg_exporter.why.logfiles import Search, Sought

MAX_BYTES: Final = 64 << 20
MAX_SECONDS: Final = 20.0
JOURNALCTL: Final = "journalctl"
_NAME: Final = "the journal"


def search(
    sought: Sequence[Sought],
    *,
    program: str | Path = JOURNALCTL,
    max_bytes: int = MAX_BYTES,
    max_seconds: float = MAX_SECONDS,
) -> Search:
    """By text and the kernel's own time, which the journal keeps. Without journalctl there is no journal to read."""
    found = Search(sought)
    if not sought:
        return found
    since = int(min(one.unix for one in sought)) - 3600
    command = [
        *(str(program), "--dmesg", "--output=json", "--no-pager", "--quiet", f"--since=@{max(0, since)}"),
        "--output-fields=MESSAGE,_SOURCE_MONOTONIC_TIMESTAMP",
    ]
    try:
        with TemporaryFile() as errors:  # which can't block it, as a pipe that nobody reads would
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as process:
                try:
                    whole = process.stdout is not None and _read(
                        process.stdout, found, max_bytes, time.monotonic() + max_seconds
                    )
                finally:
                    process.kill()
            errors.seek(0)
            said = errors.read(4096).decode(errors="replace").strip()
    except FileNotFoundError:
        return found
    except OSError as exc:
        found.unread.append(f"{_NAME}: {exc.filename or program}: {exc.strerror}")
        return found
    if not whole:
        found.unread.append(f"{_NAME}: read only in part, there is too much")
    elif said:
        found.unread.append(f"{_NAME}: {said.splitlines()[-1]}")
    else:
        found.read.append(_NAME)
    return found


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
