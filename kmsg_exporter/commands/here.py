"""Where a command that looks at a node has to run: on Linux, with procfs."""

from __future__ import annotations

import sys

from kmsg_exporter.clock import boot_id
from kmsg_exporter.config import Config
from kmsg_exporter.errors import NotHere


def require_node(config: Config, *, platform: str = sys.platform) -> None:
    """Raises NotHere."""
    if platform != "linux":
        raise NotHere(f"this is {platform}, and only Linux has this kernel log: run it on a Linux node")
    try:
        boot_id(config.path_procfs)
    except OSError as exc:
        proc = config.path_procfs
        raise NotHere(
            f"there is no procfs at {proc} ({exc.strerror}): mount it (mount -t proc proc {proc}), or name where it is "
            "by --path.procfs"
        ) from exc
