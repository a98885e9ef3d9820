"""`kmsg-exporter why`: why dmesg or a log file lacks lines, with the evidence; it never changes anything."""

from __future__ import annotations

import argparse
import shutil
import sys

from kmsg_exporter.commands.asked import window
from kmsg_exporter.commands.here import require_logs
from kmsg_exporter.commands.output import emit
from kmsg_exporter.commands.progress import Progress
from kmsg_exporter.config import Config
from kmsg_exporter.why import node
from kmsg_exporter.why.render import Screen, as_json, as_text
from kmsg_exporter.why.verdict import answer


def main(config: Config, args: argparse.Namespace) -> int:
    """Print the answer; its exit code."""
    if args.path_log is not None:
        require_logs(args.path_log)
    roots = node.roots(config.path_procfs, config.path_dev, config.path_etc, args.path_log)
    since = window(args).since
    with Progress(sys.stderr) as progress:
        found = answer(roots, config.state_directory, since=since, progress=lambda what: progress(f"looking at {what}"))
    emit([as_json(found) if args.json else as_text(found, None if args.all else _screen())])
    return found.exit_code


def _screen() -> Screen:
    """The terminal's, without the line for its next prompt."""
    if sys.stdout is None or not sys.stdout.isatty():
        return Screen()
    size = shutil.get_terminal_size()
    return Screen(size.lines - 1, size.columns)
