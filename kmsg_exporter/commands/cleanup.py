"""`kmsg-exporter cleanup`: remove what a killed agent left in tracefs, and nothing that is not ours."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from kmsg_exporter.agent import place
from kmsg_exporter.commands.output import emit
from kmsg_exporter.commands.progress import Progress
from kmsg_exporter.config import Config
from kmsg_exporter.probes.plan import remove_leftovers
from kmsg_exporter.tracefs.files import open_tracefs


def main(config: Config) -> int:
    """Print what was removed. Raises AlreadyRunning while an agent runs: what is there is in use."""
    place.require_privileges(config)
    with ExitStack() as stack, Progress(sys.stderr) as progress:
        progress("looking through tracefs")
        place.take(config, stack)
        removed = remove_leftovers(open_tracefs(config.path_tracefs, proc=config.path_procfs))
    emit([f"removed {what}\n" for what in removed] or ["nothing of ours is in tracefs\n"])
    return 0
