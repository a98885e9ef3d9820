"""`kmsg-exporter why`: why dmesg or a log file lacks lines, with the evidence; it never changes anything."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kmsg_exporter.commands.asked import window
from kmsg_exporter.commands.here import require_logs
from kmsg_exporter.commands.output import emit
from kmsg_exporter.commands.progress import Progress
from kmsg_exporter.config import Config
from kmsg_exporter.why.finding import Roots
from kmsg_exporter.why.render import as_json, as_text
from kmsg_exporter.why.verdict import answer


def main(config: Config, args: argparse.Namespace) -> int:
    """Print the answer; its exit code."""
    if args.path_log is not None:
        require_logs(args.path_log)
    logs = args.path_log or Path("/var/log")
    roots = Roots(config.path_procfs, config.path_dev, config.path_etc, logs)
    since = window(args).since
    with Progress(sys.stderr) as progress:
        found = answer(roots, config.state_directory, since=since, progress=lambda what: progress(f"looking at {what}"))
    emit([as_json(found) if args.json else as_text(found)])
    return found.exit_code
