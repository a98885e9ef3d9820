"""`kmsg-exporter history`: the node's own emptyings from disk, newest first."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase

from kmsg_exporter.collector.visible import visible
from kmsg_exporter.commands.asked import limit, window
from kmsg_exporter.config import Config
from kmsg_exporter.emptied import Emptied
from kmsg_exporter.errors import SpoolError
from kmsg_exporter.why import moment
from kmsg_exporter.why.past import FILE_NAME, read_past

_HEAD = ("WHEN", "WHO", "RUN BY", "HIDDEN", "ERRORS", "SENT")


def main(config: Config, args: argparse.Namespace) -> int:
    """Print the emptyings. Raises SpoolError where no agent ever kept any."""
    asked = window(args)

    def wanted(event: Emptied) -> bool:
        return (
            asked.holds(event.time_unix_ns / 1e9)
            and (args.comm is None or fnmatchcase(event.text("kmsg.process.comm"), args.comm))
            and (args.exe is None or fnmatchcase(event.text("process.executable.path"), args.exe))
        )

    past = read_past(config.state_directory, wanted=wanted, limit=limit(args.limit))
    if past is None:
        raise SpoolError(
            f"there is no history: no {config.state_directory / FILE_NAME}; the agent keeps it from its first start "
            "on (kmsg-exporter run, or systemctl start kmsg-exporter). If it runs elsewhere, name its --state-directory"
        )
    sys.stdout.write("".join(map(_object, past)) if args.json else _table(past))
    return 0


def _object(event: Emptied) -> str:
    return (
        json.dumps(
            {
                "time": moment.utc(event.time_unix_ns / 1e9),
                "sequence": event.sequence,
                "sent": None if event.sent_unix is None else moment.utc(event.sent_unix),
                "body": event.body,
                "attributes": event.attributes,
            }
        )
        + "\n"
    )


def _table(past: Sequence[Emptied]) -> str:
    if not past:
        return "no emptying of this node's log is kept that fits\n"
    rows = [_HEAD, *map(_row, past)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )


def _row(event: Emptied) -> tuple[str, ...]:
    when = moment.local(event.time_unix_ns / 1e9)
    since = event.number("kmsg.since_unix_nano")
    hidden, count = event.number("kmsg.hidden.records"), event.number("kmsg.coalesced") or 1
    comm, pid = event.text("kmsg.process.comm"), event.number("process.pid")
    who = f"{visible(comm)}[{pid}]" if comm else "unknown"
    return (
        when if since is None else f"{moment.local(since / 1e9)} or later, until {when}",
        who if count < 2 else f"{who} and {count - 1} more",
        visible(event.chain) or "-",
        "?" if hidden is None else str(hidden),
        str(event.errors),
        "waiting" if event.sent_unix is None else moment.local(event.sent_unix),
    )
