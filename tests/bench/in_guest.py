"""What runs in the guest: in_guest.py PEERS PROGRAMS FIGURES LOAD_SECONDS."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kmsg_bench import cost
from kmsg_bench.child import BenchError
from kmsg_bench.comparison import IN_GUEST, compare
from kmsg_bench.peers import Peers
from kmsg_bench.tracers import Site

from kmsg_exporter.tracefs.files import open_tracefs

_DIRECTORY = Path("/tmp/bench")


def main() -> int:
    """Leaves what it measured in the file FIGURES. Exit code 1, and why, when that can't be done."""
    peers, programs, figures, load_seconds = sys.argv[1:]
    for path in (_DIRECTORY, Path("/var/run")):  # auditd wants the latter
        path.mkdir(parents=True, exist_ok=True)
    tracefs = open_tracefs(Path("/sys/kernel/tracing"), proc=Path("/proc"))
    site = Site(_DIRECTORY, Peers(Path(peers)))
    try:
        found = compare(IN_GUEST, site, Path(programs), tracefs, cost.EMULATED, load_seconds=float(load_seconds))
    except BenchError as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 1
    Path(figures).write_text(json.dumps(found.to_json()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
