"""The kernel's own tick count, as a probe finds it."""

from __future__ import annotations

import os
from pathlib import Path

from kmsg_exporter.probes.ownopens import fetch
from kmsg_exporter.tracefs.hist_pair import TICKS
from kmsg_exporter.tracefs.instance import Instance


def read_ticks(instance: Instance, *, group: str, own_tid: int, dev: Path) -> int | None:
    """The tick count now, None when it can't be had."""
    rows = fetch(instance, (TICKS,), flags=(os.O_RDONLY,), group=group, own_tid=own_tid, dev=dev)
    return rows[0]["ticks"] if rows else None
