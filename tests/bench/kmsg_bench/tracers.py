"""What is compared: no tracing, our agent with each backend, bpftrace, and audit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_bench import bpftrace
from kmsg_bench.audit import Auditd
from kmsg_bench.bpftrace import Bpftrace
from kmsg_bench.child import BenchError
from kmsg_bench.peers import Peers
from kmsg_bench.service import Service, agent

NONE: Final = "none"
AGAIN: Final = "none, once more"
TRACEPOINT: Final = "agent (tracepoint)"
COMPAT: Final = "agent (tracepoint, --trace.compat-syscalls)"
KPROBE: Final = "agent (kprobe)"
FUNCTION: Final = "agent (function)"
BPF_TRACEPOINT: Final = "bpftrace (tracepoints)"
BPF_KPROBE: Final = "bpftrace (kprobe, kretprobe)"
BPF_KPROBE_READS: Final = "bpftrace (kprobe, kretprobes)"
AUDIT: Final = "auditd (-S syslog)"

Tracer = Service | Bpftrace | Auditd

_AGENT: Final = {
    TRACEPOINT: ("tracepoint",),
    COMPAT: ("tracepoint", "--trace.compat-syscalls"),
    KPROBE: ("kprobe",),
    FUNCTION: ("function",),
}
_BPFTRACE: Final = {
    BPF_TRACEPOINT: bpftrace.TRACEPOINT,
    BPF_KPROBE: bpftrace.KPROBE,
    BPF_KPROBE_READS: bpftrace.KPROBE_READS,
}


@dataclass(frozen=True, slots=True)
class Site:
    """Where a tracer runs: a directory for what it keeps, and a collector to push to, if there is one.

    With `profile`, our agent leaves there what cProfile saw.
    """

    directory: Path
    peers: Peers
    push_to: int | None = None
    profile: Path | None = None


def make(name: str, site: Site) -> Tracer | None:
    """The tracer of that name, not yet started; None for no tracing."""
    if name in (NONE, AGAIN):
        return None
    if name in _AGENT:
        return agent(site.directory, "--backend", *_AGENT[name], push_to=site.push_to, profile=site.profile)
    if name in _BPFTRACE:
        return Bpftrace(_BPFTRACE[name], site.directory / "bpftrace.log", site.peers)
    if name == AUDIT:
        return Auditd(site.directory / "audit", site.peers)
    raise BenchError(f"there is no tracer {name!r}")


def lost(tracer: Tracer) -> int:
    """Records that it gave up, as far as it knows."""
    if isinstance(tracer, Service):
        return int(tracer.metric("kmsg_exporter_trace_lost_events_total"))
    return tracer.lost() if isinstance(tracer, Auditd) else 0
