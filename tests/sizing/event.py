"""A typical event: dmesg emptied by a script under cron, with a sample of 50 lines."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord, Process
from kmsg_exporter.push.otlp import MAX_RECORD_BYTES, dump, log_record, request
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sample import DEFAULT_LIMIT

_LINES: Final = (
    (6, "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=cri-containerd-{id}.scope,mems_allowed=0"),
    (3, "Memory cgroup out of memory: Killed process {n} (payments) total-vm:4{n}kB, anon-rss:3{n}kB, UID:1000"),
    (6, "eth0: renamed from veth{id:.8}"),
    (6, "IPv6: ADDRCONF(NETDEV_CHANGE): cali{id:.11}: link becomes ready"),
    (4, "nfs: server 10.12.{m}.7 not responding, still trying"),
    (5, 'audit: type=1400 audit(17954400{m}.{m}:{n}): apparmor="DENIED" operation="open" profile="runc" pid={n}'),
    (6, "EXT4-fs (nvme{m}n1): mounted filesystem with ordered data mode. Quota mode: none."),
    (7, "device veth{id:.8} entered promiscuous mode"),
    (4, "TCP: request_sock_TCP: Possible SYN flooding on port 8443. Sending cookies. Check SNMP counters."),
    (6, "systemd[1]: Started cri-containerd-{id:.24}.scope - libcontainer container {id:.24}."),
)
_ACTOR: Final = Actor(
    pid=41_872,
    tid=41_872,
    comm="dmesg",
    exe="/usr/bin/dmesg",
    source="exec_trace",
    parent_pid=41_870,
    user_id=0,
    ancestors=(
        Process(41_870, "nightly-ci.sh", "/usr/bin/bash"),
        Process(41_868, "cron", "/usr/sbin/cron"),
        Process(911, "cron", "/usr/sbin/cron"),
        Process(1, "systemd", "/usr/lib/systemd/systemd"),
    ),
    origin="nightly-ci.sh",
    container_id="4f1c2d7a9b3e" * 5,
    pod_uid="7d1a4b9c-2f63-4f0e-9d0a-6b1c8e5f3a21",
)
_RESOURCE: Final = Resource(
    {
        "service.name": "kmsg-exporter",
        "service.version": "0.1.0",
        "service.instance.id": "01a20890-e255-7a23-b6d4-d68104ec1542",
        "host.name": "ip-10-12-34-56.eu-central-1.compute.internal",
        "host.id": "b08dfa6083e7567a1921a715000001fb",
        "os.type": "linux",
        "k8s.node.name": "ip-10-12-34-56.eu-central-1.compute.internal",
        "k8s.cluster.name": "production-eu",
    }
)


@dataclass(frozen=True, slots=True)
class EventSize:
    """Bytes of the body of one request that carries one event."""

    plain_bytes: int
    gzip_bytes: int


def body(*, uid: str = "01a20890-e255-7a23-b6d4-d68104ec1543", sample: int = DEFAULT_LIMIT) -> bytes:
    """The request with one event and that many lines."""
    hidden = Hidden(
        records=2887,
        first_seq=45_572,
        last_seq=48_458,
        by_level={"err": 8, "warning": 214, "notice": 61, "info": 2390, "debug": 214},
        sample=tuple(_record(number) for number in range(sample)),
        sample_omitted=2887 - sample,
    )
    emptying = Emptying(
        time_unix_ns=1_795_440_042_525_504_321, hidden=hidden, action="clear", interface="syslog", actor=_ACTOR
    )
    record = log_record(
        emptying,
        node=_RESOURCE.node,
        boot_id="7f0c61b1-6f7f-4d3a-9c2e-0a51b1f6a3d4",
        uid=uid,
        sequence=7,
        observed_unix_ns=1_795_440_042_526_000_000,
        owner="root",
    )
    return dump(request(_RESOURCE, [record]))


def measure() -> EventSize:
    """Packed as the sender packs it."""
    plain = body()
    return EventSize(len(plain), len(gzip.compress(plain, mtime=0)))


def largest() -> int:
    """Bytes that one request with one event never goes beyond."""
    return len(dump(request(_RESOURCE, []))) + MAX_RECORD_BYTES


def _record(number: int) -> LogRecord:
    level, text = _LINES[number % len(_LINES)]
    varied = sha256(str(number).encode()).hexdigest()
    return LogRecord(
        text.format(id=varied, n=int(varied[:4], 16), m=number),
        seq=48_409 + number,
        time_usec=17_520_123_456 + number * 104_729,
        level=level,
        facility=0,
    )
