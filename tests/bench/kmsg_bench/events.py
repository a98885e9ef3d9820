"""Events as agents make them, of about 5 KB, and the packed requests that they are sent in."""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Mapping
from pathlib import Path

from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord, Process
from kmsg_exporter.push.otlp import dump, log_record, request
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.uid import UidSource

_SAMPLE_LINES = 17
_BEGUN_UNIX_NS = 1_767_225_600_000_000_000
_POD = "3f1c2a9e-7b1d-4c52-9a61-0d5d2f6f8a11"


def resource(node: str) -> Resource:
    """An agent's, of a node of that name."""
    known = {"service.name": "kmsg-exporter", "service.version": "0.1.0", "service.instance.id": f"instance-{node}"}
    return Resource({**known, "host.name": node, "os.type": "linux", "k8s.node.name": node})


def record(node: str, uid: str, sequence: int) -> Mapping[str, object]:
    """One LogRecord; what it holds follows from node and sequence."""
    chance = random.Random(f"{node} {sequence}")
    first = sequence * 1000
    sample = tuple(
        LogRecord(
            f"nvme nvme{chance.randrange(8)}: I/O tag {chance.randrange(1024)} ({chance.getrandbits(64):016x}) "
            f"opcode {chance.choice(('Read', 'Write', 'Flush'))} QID {chance.randrange(64)} timeout, "
            f"aborting req_op:{chance.randrange(16)}, size {chance.randrange(1 << 20)} ümlaut \x1b",
            seq=first + number,
            time_usec=chance.getrandbits(40),
            level=3 + number % 4,
            facility=0,
        )
        for number in range(_SAMPLE_LINES)
    )
    actor = Actor(
        pid=chance.randrange(1, 1 << 22),
        tid=1,
        comm="dmesg",
        exe="/usr/bin/dmesg",
        source="procfs",
        parent_pid=115,
        user_id=0,
        ancestors=(Process(130, "cleanup.sh", "/usr/bin/dash"), Process(115, "cron", "/usr/sbin/cron")),
        origin="cleanup.sh",
        pod_uid=_POD,
    )
    emptying = Emptying(
        time_unix_ns=_BEGUN_UNIX_NS + sequence * 1_000_000_000,
        hidden=Hidden(389, first, first + 388, {"err": 1, "warning": 31, "info": 357}, sample, 389 - _SAMPLE_LINES),
        action="clear",
        interface="syslog",
        actor=actor,
        time_boot_ns=chance.getrandbits(50),
    )
    return log_record(
        emptying,
        node=node,
        boot_id="0b0b0b0b-0000-4000-8000-000000000000",
        uid=uid,
        sequence=sequence,
        observed_unix_ns=emptying.time_unix_ns + 1_000_000,
        owner="root",
    )


def body(node: str, uid: str, sequence: int) -> bytes:
    """The OTLP/HTTP JSON body with one event, not packed."""
    return dump(request(resource(node), [record(node, uid, sequence)]))


def write_requests(path: Path, requests: int, *, events: int = 1, nodes: int = 200) -> None:
    """Packed bodies of so many events, each behind its length, as programs/senders.c wants them; each uid is new."""
    uids = UidSource()
    known = uids.next().encode()
    records = [dump(record(f"node-{number}", known.decode(), number)) for number in range(nodes)]
    head, tail = body("node-1", "", 0).split(dump(record("node-1", "", 0)))
    with path.open("wb") as file:
        for number in range(0, requests * events, events):
            texts = (records[(number + each) % nodes].replace(known, uids.next().encode()) for each in range(events))
            packed = gzip.compress(head + b",".join(texts) + tail, 1, mtime=0)
            file.write(struct.pack("=I", len(packed)) + packed)
