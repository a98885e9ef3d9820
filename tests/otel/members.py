"""Some of the herd's agents, in a process of their own: members.py FOLDER URL CA FIRST COUNT EVENTS

Each has a spool in FOLDER and a sender. Prints `emptied` when all have their events, and ends with 0 when none waits.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nodes import Nodes
from process import eventually

from kmsg_exporter.push.endpoint import Endpoint

SECONDS = 240.0


def main(folder: Path, url: str, ca_file: str, first: int, count: int, events: int) -> None:
    endpoint = Endpoint(url, ca_file=Path(ca_file) if ca_file else None)
    with Nodes([f"node-{number}" for number in range(first, first + count)], folder, endpoint) as nodes:
        nodes.empty(events)
        print("emptied", flush=True)
        eventually(lambda: nodes.waiting == 0, "nothing waits", SECONDS)


if __name__ == "__main__":
    folder, url, ca_file, *numbers = sys.argv[1:]
    first, count, events = map(int, numbers)
    main(Path(folder), url, ca_file, first, count, events)
