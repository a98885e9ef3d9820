"""A fleet that never was: events as agents would send them, in a store that the collector's own code has written."""

from __future__ import annotations

import argparse
import itertools
import json
import random
import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kmsg_exporter.collector.decode import decode_logs
from kmsg_exporter.collector.store import Store

SECOND_NS: Final = 10**9
DAY_SECONDS: Final = 86400
LEVELS: Final = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


@dataclass(frozen=True)
class Culprit:
    """Somebody who empties logs: who, run by whom, how often beside the others, and on how many of 100 nodes."""

    comm: str
    exe: str
    origin: str
    chain: tuple[str, ...]
    args: tuple[str, ...]
    weight: int
    spread: int
    action: str = "clear"
    expected: bool = False
    container: bool = False
    owner: str = "root"
    burst: bool = False
    at_hour: int | None = None


CULPRITS: Final = (
    Culprit("dmesg", "/usr/bin/dmesg", "rotate-kmsg.sh", ("rotate-kmsg.sh /usr/bin/bash", "cron /usr/sbin/cron"),
            ("dmesg", "--read-clear"), 46, 30, action="read_clear", expected=True),
    Culprit("dmesg", "/usr/bin/dmesg", "cleanup.sh", ("cleanup.sh /usr/bin/dash", "cron /usr/sbin/cron"),
            ("dmesg", "-C"), 21, 55, at_hour=3),
    Culprit("dmesg", "/usr/bin/dmesg", "clickhouse-test", ("sh /usr/bin/dash", "clickhouse-test /usr/bin/python3.11",
            "gitlab-runner /usr/bin/gitlab-runner", "containerd-shim /usr/bin/containerd-shim-runc-v2"),
            ("dmesg", "--clear"), 14, 8, container=True, burst=True),
    Culprit("busybox", "/bin/busybox", "node-debug.sh", ("node-debug.sh /bin/busybox", "containerd-shim "
            "/usr/bin/containerd-shim-runc-v2"), ("dmesg", "-c"), 7, 20, action="read_clear", container=True),
    Culprit("rs:main Q:Reg", "/usr/sbin/rsyslogd", "systemd", ("systemd /usr/lib/systemd/systemd",),
            ("/usr/sbin/rsyslogd", "-n"), 5, 12, action="read_clear"),
    Culprit("python3", "/usr/bin/python3.11", "ansible-playboo", ("sh /usr/bin/dash", "ansible-playboo "
            "/usr/bin/python3.11", "sshd /usr/sbin/sshd"), ("python3", "AnsiballZ_command.py"), 4, 40),
    Culprit("dmesg", "/usr/bin/dmesg", "sshd", ("bash /usr/bin/bash", "sudo /usr/bin/sudo", "bash /usr/bin/bash",
            "sshd /usr/sbin/sshd"), ("dmesg", "-C"), 2, 30, owner="mkeller"),
    Culprit("kworker/u8:3", "/tmp/.X11-unix/kworker", "curl", ("curl /usr/bin/curl", "nginx /usr/sbin/nginx"),
            ("kworker/u8:3",), 1, 2, owner="www-data"),
)  # fmt: skip

LINES: Final = (
    (3, "Memory cgroup out of memory: Killed process {pid} (postgres) total-vm:{big}kB, anon-rss:{big}kB"),
    (3, "EXT4-fs error (device sda2): ext4_find_entry:1682: inode #{pid}: comm nginx: reading directory lblock 0"),
    (3, "blk_update_request: I/O error, dev sdb, sector {big} op 0x0:(READ) flags 0x80700 phys_seg 4 prio class 2"),
    (2, "mce: [Hardware Error]: Machine check events logged"),
    (4, "nf_conntrack: nf_conntrack: table full, dropping packet"),
    (4, "perf: interrupt took too long ({pid} > 4912), lowering kernel.perf_event_max_sample_rate to 40500"),
    (4, "TCP: request_sock_TCP: Possible SYN flooding on port 443. Sending cookies.  Check SNMP counters."),
    (5, "audit: type=1400 audit({big}.211:{pid}): apparmor=\"STATUS\" operation=\"profile_replace\""),
    (6, "eth0: renamed from veth{hex}"),
    (6, "IPv6: ADDRCONF(NETDEV_CHANGE): cali{hex}: link becomes ready"),
    (6, "device veth{hex} entered promiscuous mode"),
    (6, "e1000e 0000:00:1f.6 eno1: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx"),
    (6, "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=cri-{hex},mems_allowed=0,oom_memcg=/kubepods"),
    (6, "usb 1-1.2: new high-speed USB device number {pid} using xhci_hcd"),
    (7, "x86/PAT: bash:{pid} map pfn expected mapping type uncached-minus for [mem 0x{hex}-0x{hex}], got write-back"),
)  # fmt: skip


@dataclass
class Node:
    name: str
    cluster: str
    version: str
    instance: str
    boot_id: str
    boot_ns: int
    sequence: int = 0
    stored: int = 0
    first: int = 0
    lost: set[int] = field(default_factory=set)


def fill(path: Path, count: int, *, now_ns: int, days: float = 30, nodes: int = 240, seed: int = 1) -> None:
    """`count` events of the last `days` before `now_ns`; a few agents are silent, of a few some events are missing."""
    chance = random.Random(seed)
    fleet = list(itertools.islice(_nodes(chance, now_ns, days), nodes))
    at = now_ns
    with Store(path, clock_ns=lambda: at) as store:
        moments = sorted(_moments(chance, count, now_ns, days), key=lambda each: each[0])
        for group in _grouped(moments):
            events = [event for each in group for event in decode_logs(_event(chance, fleet, *each)).events]
            at = group[-1][0] + 400_000_000
            store.add(events).result()
    _heard(path, fleet, now_ns=now_ns)


def _nodes(chance: random.Random, now_ns: int, days: float) -> Iterator[Node]:
    for number in itertools.count(1):
        cluster, name = (
            ("", f"db-{number:02}.rack{number % 7}.example.net")
            if number % 6 == 0
            else ("fra-1", f"fra-1-worker-{number:03}")
            if number % 3
            else ("iad-2", f"ip-10-2-{number % 200}-{number * 7 % 251}.iad-2.internal")
        )
        version = "0.8.2" if number % 21 == 0 else "0.9.0"
        boot_ns = now_ns - int(days * DAY_SECONDS * chance.uniform(1.1, 3)) * SECOND_NS
        instance, boot_id = (str(uuid.UUID(int=chance.getrandbits(128), version=4)) for _ in range(2))
        yield Node(name, cluster, version, instance, boot_id, boot_ns)


def _moments(chance: random.Random, count: int, now_ns: int, days: float) -> Iterator[tuple[int, Culprit]]:
    weights = [culprit.weight for culprit in CULPRITS]
    for _ in range(count):
        (culprit,) = chance.choices(CULPRITS, weights)
        seconds = chance.uniform(0, days * DAY_SECONDS)
        at = now_ns - int(seconds * SECOND_NS)
        if culprit.at_hour is not None:
            at -= (at // SECOND_NS - culprit.at_hour * 3600) % DAY_SECONDS * SECOND_NS - chance.randrange(
                900 * SECOND_NS
            )
            at = min(at, now_ns - SECOND_NS)
        elif culprit.burst:  # an afternoon of tests every third day
            at -= at % (3 * DAY_SECONDS * SECOND_NS) // 4
        yield at, culprit


def _grouped(moments: Sequence[tuple[int, Culprit]]) -> Iterator[Sequence[tuple[int, Culprit]]]:
    """The newest one by one, as they arrive; the others some at a time: each commit waits for the disk."""
    old = max(0, len(moments) - 100)
    for start in range(0, old, 250):
        yield moments[start : min(start + 250, old)]
    for one in moments[old:]:
        yield [one]


def _event(chance: random.Random, fleet: Sequence[Node], at: int, culprit: Culprit) -> bytes:
    # the same nodes for the same culprit, some of them far more than others
    reach = max(1, len(fleet) * culprit.spread // 100)
    start = CULPRITS.index(culprit) * 37
    node = fleet[(start + int(reach * chance.random() ** 2)) % len(fleet)]
    node.sequence += 1
    if chance.random() < 0.00008:
        node.sequence += 1
    node.first = node.first or node.sequence
    node.stored += 1
    return _body(node, _attributes(chance, node, culprit, at), at)


def _attributes(chance: random.Random, node: Node, culprit: Culprit, at: int) -> dict[str, Any]:
    hidden = min(int(chance.lognormvariate(5, 1.2)) + 1, 9000)
    records = _records(chance, min(hidden, 50), (at - node.boot_ns) / 1e9, calm=chance.random() < 0.8)
    levels = [int(record[1]) for record in records]
    by_level = {LEVELS[level]: levels.count(level) for level in sorted(set(levels))}
    by_level["info"] = by_level.get("info", 0) + hidden - len(records)
    pid = chance.randrange(1000, 4_000_000)
    first = chance.randrange(1, 10**6)
    attributes = {
        "log.record.uid": str(uuid.UUID(int=(at // 10**6 << 80) | chance.getrandbits(80), version=4)),
        "kmsg.sequence": node.sequence,
        "kmsg.boot_id": node.boot_id,
        "kmsg.boottime_nano": at - node.boot_ns,
        "kmsg.action": culprit.action,
        "kmsg.interface": "syslog",
        "process.pid": pid,
        "process.parent_pid": pid - 1,
        "process.executable.path": culprit.exe,
        "process.owner": culprit.owner,
        "process.user.id": 0 if culprit.owner == "root" else 1000 + len(culprit.owner),
        "process.command_args": list(culprit.args),
        "kmsg.process.comm": culprit.comm,
        "kmsg.process.origin": culprit.origin,
        "kmsg.process.ancestors": [
            *(f"{pid - 1 - number} {each}" for number, each in enumerate(culprit.chain)),
            *([] if culprit.chain[-1].startswith("systemd ") else ["1 systemd /usr/lib/systemd/systemd"]),
        ],
        "kmsg.attribution.source": chance.choice(["procfs", "exec_trace", "exec_trace"]),
        "kmsg.expected": culprit.expected,
        "kmsg.hidden.records": hidden,
        "kmsg.hidden.first_seq": first,
        "kmsg.hidden.last_seq": first + hidden - 1,
        "kmsg.hidden.by_level": by_level,
        "kmsg.hidden.sample": records,
    }
    if hidden > len(records):
        attributes["kmsg.hidden.sample_omitted"] = hidden - len(records)
    if culprit.container:
        attributes["kmsg.process.container.id"] = f"{random.Random(node.name).getrandbits(256):064x}"
        attributes["kmsg.process.pod.uid"] = str(uuid.UUID(int=random.Random(node.name).getrandbits(128), version=4))
    if culprit.burst:
        attributes["kmsg.coalesced"] = chance.choice([1, 1, 3, 12, 40])
    return attributes


def _records(chance: random.Random, count: int, uptime_seconds: float, *, calm: bool) -> list[str]:
    lines = [line for line in LINES if line[0] > 3] if calm else LINES
    moments = sorted(uptime_seconds - chance.expovariate(1 / 900) for _ in range(count))
    records = []
    for moment in moments:
        level, line = chance.choice(lines)
        text = line.format(
            pid=chance.randrange(300, 99999), big=chance.randrange(10**6, 10**8), hex=f"{chance.getrandbits(32):08x}"
        )
        records.append(f"<{level}>[{max(moment, 0):12.6f}] {text}")
    return records


def _body(node: Node, attributes: Mapping[str, Any], at: int) -> bytes:
    names = [each.split(" ")[1] for each in attributes["kmsg.process.ancestors"]]
    hidden = attributes["kmsg.hidden.records"]
    severe = sum(attributes["kmsg.hidden.by_level"].get(level, 0) for level in LEVELS[:4])
    word = "an error" if severe == 1 else "errors"
    errors = f", {severe} of them {word} or worse" if severe else ""
    who = (
        f"{attributes['kmsg.process.comm']} ({attributes['process.executable.path']}, pid {attributes['process.pid']})"
    )
    sentence = (
        f"dmesg on {node.name} was emptied by {who} run by {' <- '.join(names)}; {hidden} records are hidden{errors}."
    )
    resource = {
        "service.name": "kmsg-exporter",
        "service.version": node.version,
        "service.instance.id": node.instance,
        "host.name": node.name,
        "host.id": node.instance.replace("-", ""),
        "os.type": "linux",
        **({"k8s.node.name": node.name, "k8s.cluster.name": node.cluster} if node.cluster else {}),
    }
    record = {
        "timeUnixNano": str(at),
        "severityNumber": 13,
        "eventName": "kmsg.emptied",
        "body": {"stringValue": sentence},
        "attributes": pairs({"event.name": "kmsg.emptied", **attributes}),
    }
    logs = {"resource": {"attributes": pairs(resource)}, "scopeLogs": [{"logRecords": [record]}]}
    return json.dumps({"resourceLogs": [logs]}).encode()


def pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in values.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case list():
            return {"arrayValue": {"values": [_value(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": pairs(value)}}
        case _:
            return {"stringValue": value}


def _heard(path: Path, fleet: Sequence[Node], *, now_ns: int) -> None:
    """What hellos would have left: every agent reports, but for three; one has lost its newest two events."""
    with sqlite3.connect(path) as connection:
        for number, node in enumerate(fleet):
            silent = {17: 5 * 3600, 40: 26 * 3600, 101: 3 * DAY_SECONDS}.get(number)
            seen = now_ns - (silent or number % 300) * SECOND_NS
            said = (node.instance, node.cluster, node.name, node.instance.replace("-", ""), node.version)
            connection.execute(
                "INSERT OR REPLACE INTO agent (instance, cluster, node, host_id, version, first_seen_unix_ns, "
                "last_seen_unix_ns, hello_unix_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*said, node.boot_ns, seen, seen),
            )
            last = node.sequence + (2 if number == 5 else 0)
            connection.execute(
                "INSERT OR REPLACE INTO stream VALUES (?, ?, ?, ?, ?)",
                (node.instance, node.boot_id, node.first or 1, last, node.stored),
            )
    connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="where the store is made")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--nodes", type=int, default=240)
    asked = parser.parse_args()
    fill(asked.path, asked.events, now_ns=time.time_ns(), days=asked.days, nodes=asked.nodes)


if __name__ == "__main__":
    main()
