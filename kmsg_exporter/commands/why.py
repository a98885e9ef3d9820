"""`kmsg-exporter why`: why dmesg or a log file lacks lines, with the evidence; it never changes anything."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

from kmsg_exporter.commands.asked import window
from kmsg_exporter.commands.output import emit
from kmsg_exporter.config import Config
from kmsg_exporter.why.finding import Roots
from kmsg_exporter.why.render import as_json, as_text
from kmsg_exporter.why.verdict import answer

_QUIET_SECONDS: Final = 2.0


def main(config: Config, args: argparse.Namespace) -> int:
    """Print the answer; its exit code."""
    roots = Roots(config.path_procfs, config.path_dev, config.path_etc, args.path_log)
    progress = Progress(sys.stderr)
    found = answer(roots, config.state_directory, since=window(args).since, progress=progress)
    progress.clear()
    emit([as_json(found) if args.json else as_text(found)])
    return found.exit_code


class Progress:
    """One line that changes, on a terminal only and not before two seconds."""

    def __init__(self, stream: TextIO, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._monotonic = monotonic
        self._begun = monotonic()
        self._shown = False

    def __call__(self, what: str) -> None:
        if self._stream.isatty() and self._monotonic() - self._begun > _QUIET_SECONDS:
            self._stream.write(f"\r\x1b[Klooking at {what}")
            self._stream.flush()
            self._shown = True

    def clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
