"""Where `f_flags` lies in this kernel's struct file: asked of the kernel itself, by opening a file of ours.

`memory_open(inode, file)` runs for /dev/null too, so a probe that copies the whole struct, and a few opens with
flags that we know, tell the offset. It needs neither debug information nor a kernel version.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from kmsg_exporter.errors import FeatureUnavailable, TracefsRejected
from kmsg_exporter.tracefs import dynevent
from kmsg_exporter.tracefs.dynevent import Kprobe
from kmsg_exporter.tracefs.instance import Instance

_SYMBOL = "memory_open"
_WORDS = 64
_ASKED = (
    os.O_RDONLY,
    os.O_WRONLY | os.O_APPEND,
    os.O_RDWR | os.O_NONBLOCK,
    os.O_RDONLY | os.O_APPEND | os.O_NONBLOCK,
)
_NOT_OURS = ~(os.O_CLOEXEC | 0o400000 | 0o100000)  # O_LARGEFILE, whichever value the machine gives it


def f_flags_offset(instance: Instance, *, group: str, register: str, own_tid: int, dev: Path) -> int | None:
    """The offset in bytes, None when it can't be found out. `register` holds a function's second argument.

    Any null device will do: where `dev` holds little else than the log, it is this process's own.
    """
    null = dev / "null" if (dev / "null").exists() else Path(os.devnull)
    words = tuple(f"w{n}=+{4 * n}({register}):u32" for n in range(_WORDS))
    probe = Kprobe(group, "ke_calibrate", _SYMBOL, words)
    event = f"{group}/{probe.name}"
    tracefs = instance.tracefs
    try:
        dynevent.define(tracefs, probe)
        instance.enable(event, event_filter=f"common_pid == {own_tid}")
    except (FeatureUnavailable, TracefsRejected):
        return None
    try:
        layout = instance.format(event)
        for flags in _ASKED:
            os.close(os.open(null, flags | os.O_CLOEXEC))
        instance.disable(event)
        seen = [
            [layout[f"w{n}"].integer(record) & _NOT_OURS for n in range(_WORDS)]
            for _cpu, page in instance.pages()
            for _time, record in page.records
            if int.from_bytes(record[:2], "little") == layout.id
        ]
    except OSError:
        return None
    finally:
        instance.disable(event)
        tracefs.write(dynevent.KPROBE_EVENTS, f"-:{event}\n")
    places = [n for n in range(_WORDS) if sorted(row[n] for row in seen) == sorted(_ASKED)]
    return places[0] * 4 if places else None


def offset_in(definition: str) -> int | None:
    """The offset that an earlier life of the agent found, read from a probe that it left."""
    match = re.search(r"flags=\+(\d{1,9})\(", definition)
    return int(match[1]) if match else None
