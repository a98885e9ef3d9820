"""Where `f_flags` lies in this kernel's struct file: a probe copies the whole struct at opens with flags we know."""

from __future__ import annotations

import os
import re
from pathlib import Path

from kmsg_exporter.probes.ownopens import fetch
from kmsg_exporter.tracefs.instance import Instance

_WORDS = 64
_ASKED = (
    os.O_RDONLY,
    os.O_WRONLY | os.O_APPEND,
    os.O_RDWR | os.O_NONBLOCK,
    os.O_RDONLY | os.O_APPEND | os.O_NONBLOCK,
)
_NOT_OURS = ~(os.O_CLOEXEC | 0o400000 | 0o100000)  # O_LARGEFILE, whichever value the machine gives it


def f_flags_offset(
    instance: Instance, more: tuple[str, ...], *, group: str, register: str, own_tid: int, dev: Path
) -> tuple[int | None, bool]:
    """(the offset in bytes, None when it can't be found out; whether the fetch arguments `more` are accepted).

    `register` holds a function's second argument.
    """
    words = tuple(f"w{n}=+{4 * n}({register}):u32" for n in range(_WORDS))
    for fetchargs in ((*words, *more), words) if more else (words,):
        rows = fetch(instance, fetchargs, flags=_ASKED, group=group, own_tid=own_tid, dev=dev)
        if rows:
            seen = [[row[f"w{n}"] & _NOT_OURS for n in range(_WORDS)] for row in rows]
            places = [n for n in range(_WORDS) if sorted(row[n] for row in seen) == sorted(_ASKED)]
            return (places[0] * 4 if places else None), fetchargs != words
    return None, False


def offset_in(definition: str) -> int | None:
    """The offset that an earlier life of the agent found, read from a probe that it left."""
    match = re.search(r"flags=\+(\d{1,9})\(", definition)
    return int(match[1]) if match else None
