"""A small agent for test_kill: watches a log that is a file, stores an event for each emptying, sends it.

    killed_agent.py STATE_DIR URL EMPTYINGS

The log is the file STATE_DIR/ring, whose number is the first visible record. The agent itself empties the log, so
that a kill comes between any two of: log emptied, event stored, event sent, event marked. It prints `emptied` each time
and ends when the log was emptied EMPTYINGS times and nothing waits.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import requests  # noqa: F401  early, so that there is time to be killed in what matters
import tenacity  # noqa: F401

from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.identity import RingPosition
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sender import Sender
from kmsg_exporter.push.spool import Spool


class Ring:
    def __init__(self, path: Path) -> None:
        self._path = path

    def visible_from(self) -> int:
        return int(self._path.read_text()) if self._path.exists() else 0

    def clear(self) -> None:
        next_one = self._path.with_suffix(".next")
        next_one.write_text(str(self.visible_from() + 1))
        next_one.replace(self._path)


def main(state: Path, url: str, emptyings: int) -> None:
    ring, spool = Ring(state / "ring"), Spool(state / "spool.db")
    sender = Sender(spool, Endpoint(url), Resource({"service.instance.id": spool.instance_id}))
    sender.start()
    while True:
        stored = spool.load_position() or RingPosition("boot", 0)
        visible_from = ring.visible_from()

        def render(uid: str, sequence: int, visible_from: int = visible_from) -> Mapping[str, object]:
            return {"uid": uid, "sequence": sequence, "visible_from": visible_from}

        now = RingPosition("boot", visible_from)
        if now != stored:
            spool.append(render, position=now)
            sender.wake()
        elif visible_from < emptyings:
            ring.clear()
            print("emptied", flush=True)
        elif spool.state.queue_events == 0:
            break
    sender.stop(10)
    spool.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
