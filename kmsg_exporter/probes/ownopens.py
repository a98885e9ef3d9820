"""Something asked of the kernel itself, by opening a file of ours: a probe on that open fetches it.

`memory_open(inode, file)` runs for /dev/null too. It needs neither debug information nor a kernel version.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from kmsg_exporter.errors import FeatureUnavailable, TracefsRejected
from kmsg_exporter.tracefs import dynevent
from kmsg_exporter.tracefs.dynevent import Kprobe
from kmsg_exporter.tracefs.instance import Instance

_SYMBOL = "memory_open"
_NAME = "ke_calibrate"


def fetch(
    instance: Instance, fetchargs: tuple[str, ...], *, flags: Sequence[int], group: str, own_tid: int, dev: Path
) -> list[dict[str, int]]:
    """What the arguments, all of them integers, were at our opens of a null device, one for each of `flags`.

    Empty where this kernel does not take such a probe. Any null device will do: where `dev` holds little else than
    the log, it is this process's own. What is recorded in `instance` and was not read is gone then.
    """
    null = dev / "null" if (dev / "null").exists() else Path(os.devnull)
    probe = Kprobe(group, _NAME, _SYMBOL, fetchargs)
    event = f"{group}/{_NAME}"
    tracefs = instance.tracefs
    try:
        dynevent.define(tracefs, probe)
        instance.enable(event, event_filter=f"common_pid == {own_tid}")
    except (FeatureUnavailable, TracefsRejected):
        return []
    names = [fetcharg.partition("=")[0] for fetcharg in fetchargs]
    try:
        layout = instance.format(event)
        for one in flags:
            os.close(os.open(null, one | os.O_CLOEXEC))
        instance.disable(event)
        return [
            {name: layout[name].integer(record) for name in names}
            for _cpu, page in instance.pages()
            for _time, record in page.records
            if int.from_bytes(record[:2], "little") == layout.id
        ]
    except OSError:
        return []
    finally:
        instance.disable(event)
        tracefs.write(dynevent.KPROBE_EVENTS, f"-:{event}\n")
