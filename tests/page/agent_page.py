"""An agent's web server over a history of its own: ten emptyings, by a person, cron, a container, nobody, and worse."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from kmsg_exporter.agent.face import Face
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.metrics.web import WebServer
from kmsg_exporter.model import (
    Actor,
    Emptying,
    Hidden,
    LogRecord,
    Observation,
    ProbeState,
    Process,
    PushState,
    Reader,
    RingState,
)
from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.otlp import log_record
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sender import Sender
from kmsg_exporter.push.spool import Spool

HIDDEN_LINE: Final = "a line of the log"
_CRON: Final = Actor(
    4242,
    4242,
    "dmesg",
    "/usr/bin/dmesg",
    "exec_trace",
    user_id=0,
    ancestors=(
        Process(4240, "cleanup.sh", "/usr/bin/dash"),
        Process(812, "cron", "/usr/sbin/cron"),
        Process(1, "systemd", "/usr/lib/systemd/systemd"),
    ),
    origin="cleanup.sh",
)
_POD: Final = replace(
    _CRON,
    pid=77123,
    comm="busybox",
    exe="/bin/busybox",
    origin="node-debug.sh",
    ancestors=(Process(77100, "node-debug.sh", "/bin/busybox"),),
    container_id="9f2c" * 16,
    pod_uid="6f3e2d1c-0b9a-4877-8665-544332211000",
)
_ARGS: Final = ("dmesg", "-C", "--password=hunter2")


def emptyings(planted: str, now_ns: int) -> list[Emptying]:
    """Oldest first. `planted` is what a process that means harm calls itself, its script and its container."""
    levels = {"err": 2, "warning": 31, "info": 356}
    lines = (LogRecord(HIDDEN_LINE, 5, 9_000_000, 3, 0),)
    hours = 3600 * 10**9
    made = [
        Emptying(0, Hidden(389, 1, 389, levels, lines), "clear", "syslog", replace(_CRON, command_args=_ARGS)),
        Emptying(0, Hidden(12, 400, 411, {"info": 12}), "clear", "syslog", _POD),
        Emptying(0, Hidden(3, 500, 502, {"notice": 3}), "read_clear", "syslog", _CRON, expected=True),
        Emptying(0, Hidden(), None, None, None, since_unix_ns=now_ns - 30 * hours),
        Emptying(0, Hidden(1, 600, 600, {"emerg": 1}), "clear", "syslog", replace(_CRON, origin="", ancestors=())),
        Emptying(
            0, Hidden(0, None, None, {}), "clear", "syslog", _CRON, coalesced=40, actors=("dmesg /usr/bin/dmesg",)
        ),
        Emptying(0, Hidden(9000, 700, 9699, {"debug": 9000}), "clear", "syslog", replace(_CRON, exe="")),
        Emptying(
            0,
            Hidden(7, 9700, 9706, {"info": 7}),
            "clear",
            "syslog",
            replace(
                _CRON,
                comm=planted,
                exe=f"/{planted}",
                origin=planted,
                ancestors=(Process(9, planted, ""),),
                container_id=planted,
            ),
        ),
        Emptying(0, Hidden(1, 9707, 9707, {"info": 1}), "clear", "syslog", replace(_CRON, comm="x" * 500)),
        Emptying(0, Hidden(2, 9708, 9709, {"crit": 1, "info": 1}), "clear", "syslog", _CRON),
    ]
    return [replace(one, time_unix_ns=now_ns - (len(made) - at) * 3 * hours) for at, one in enumerate(made)]


OBSERVED: Final = Observation(
    backend="tracepoint",
    ready=True,
    ring=RingState(
        empty=True, hidden_records=3500, records_total=9710, overwritten_records_total=6210, buffer_bytes=262144
    ),
    readers=(
        Reader(233, "systemd-journal", "/usr/lib/systemd/systemd-journald", "dev_kmsg"),
        Reader(501, "rs:main Q:Reg", "/usr/sbin/rsyslogd", "proc_kmsg"),
    ),
    probes=(ProbeState("sys_enter_syslog", attached=True), ProbeState("sys_exit_syslog", attached=True)),
    push=PushState(queue_events=1, sent_total=9),
    spool_durable=True,
)


@contextmanager
def serving(directory: Path, *, planted: str, collector: str, observed: Observation = OBSERVED) -> Iterator[WebServer]:
    """The newest event waits; the others were sent to a collector whose pages are at `collector`."""
    totals, now_ns = Totals(), time.time_ns()
    with closing(Spool(directory / "spool.sqlite3")) as spool:
        for number, emptying in enumerate(emptyings(planted, now_ns), 1):
            stored = spool.append(
                lambda uid, sequence, emptying=emptying: log_record(  # type: ignore[misc]
                    emptying, node="node-7", boot_id="b", uid=uid, sequence=sequence, observed_unix_ns=1, owner="root"
                )
            )
            totals.emptied(emptying.time_unix_ns / 1e9)
            if (actor := emptying.actor) is not None:
                totals.clear(actor.comm, actor.exe, "clear", origin=actor.origin, expected=emptying.expected)
            if number < 10:
                spool.mark_sent([stored.uid], now_ns / 1e9)
        sender = Sender(spool, Endpoint(f"{collector}v1/logs"), Resource({}), boot_id="b")
        assert isinstance(sender._delivery, Delivery)
        sender._delivery.page = collector
        face = Face("node-7", spool, sender, None, refused=lambda: {"kprobe": "no kprobe_events"}, compat=False)
        with WebServer(
            [("127.0.0.1", 0)], totals=totals, observe=lambda: observed, version="0.1.0", node=face
        ) as server:
            yield server
