"""Where a command that looks at a node has to run: on Linux, with procfs, and with what a flag says is there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

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


def require_logs(folder: Path) -> None:
    """Raises NotHere for a folder that was named and can't be read; without the usual one there are no log files."""
    try:
        os.listdir(folder)
    except OSError as exc:
        raise NotHere(
            f"the log files at {folder} can't be read ({exc.strerror}): name where they are by --path.log, as a user "
            "who may read them"
        ) from exc
