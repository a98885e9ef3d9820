"""The agent with its loop under cProfile: `profiled.py FILE ARGUMENTS...` leaves what was seen in FILE."""

from __future__ import annotations

import cProfile
import sys
from unittest.mock import patch

from kmsg_exporter.agent.watch import Watch
from kmsg_exporter.cli import main


def profiled(file: str, arguments: list[str]) -> int:
    """What `kmsg-exporter ARGUMENTS` would do. Starting and stopping is not part of the profile."""
    run = Watch.run

    def watched(watch: Watch) -> None:
        profiler = cProfile.Profile()
        try:
            profiler.runcall(run, watch)
        finally:
            profiler.dump_stats(file)

    with patch.object(Watch, "run", watched):
        return main(arguments)


if __name__ == "__main__":
    sys.exit(profiled(sys.argv[1], sys.argv[2:]))
