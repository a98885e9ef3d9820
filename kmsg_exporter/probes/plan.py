"""Which backend this kernel accepts: each is tried in turn, and why one was not taken is kept."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kmsg_exporter.errors import DecodeError, TracefsError, TracefsNotMounted
from kmsg_exporter.probes.backend import BULK, GROUP, INSTANCES, RECORDER, URGENT, Backend
from kmsg_exporter.probes.budget import buffer_sizes
from kmsg_exporter.probes.function import FunctionBackend
from kmsg_exporter.probes.kprobe import KprobeBackend
from kmsg_exporter.probes.state import StateBackend
from kmsg_exporter.probes.tracepoint import TracepointBackend
from kmsg_exporter.tracefs import dynevent
from kmsg_exporter.tracefs.files import Tracefs, open_tracefs
from kmsg_exporter.tracefs.hist import remove_triggers
from kmsg_exporter.tracefs.instance import Instance, remove_instance

BACKENDS: Final = ("kprobe", "tracepoint", "function", "state")


@dataclass(frozen=True, slots=True)
class Where:
    """The roots and the budget that a plan is made with. `own_tid` is the thread that will look at the log."""

    tracefs: Path
    proc: Path
    dev: Path
    budget_bytes: int
    own_tid: int
    machine: str
    compat: bool = False


@dataclass
class Attached:
    """What was attached. `recorder` is None where nothing can be traced; `refused` says why by backend.

    With `awaits_tracefs` more could be had as soon as somebody mounts it.
    """

    backend: Backend
    recorder: Instance | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    awaits_tracefs: bool = False

    def close(self, *, keep: bool = False) -> None:
        """Take everything away, unless it is to `keep` recording."""
        try:
            if self.recorder is not None:
                self.recorder.close(keep=keep)
        finally:
            self.backend.close(keep=keep)


def attach(wanted: str, where: Where) -> Attached:
    """Attach the first backend that this kernel accepts, or the one that is `wanted` ("auto" for any).

    The caller holds the node (`tracefs.lock.hold` on the folder of instances). Raises TracefsError when the backend
    wanted can't be had.
    """
    if wanted == "state":
        return Attached(StateBackend())
    refused: dict[str, str] = {}
    with ExitStack() as undo:
        try:
            tracefs = open_tracefs(where.tracefs, proc=where.proc)
            urgent, bulk, recorder = _instances(tracefs, where.budget_bytes, undo)
        except (TracefsError, DecodeError) as exc:
            if wanted != "auto":
                raise
            return Attached(
                StateBackend(),
                refused=dict.fromkeys(BACKENDS[:-1], str(exc)),
                awaits_tracefs=isinstance(exc, TracefsNotMounted),
            )
        for name in BACKENDS[:-1] if wanted == "auto" else (wanted,):
            if left_by(tracefs) not in (name, None):
                _silence(tracefs)
            try:
                backend = _make(name, (urgent, bulk, recorder), where)
            except (TracefsError, DecodeError) as exc:
                if wanted != "auto":
                    raise
                refused[name] = str(exc)
            else:
                undo.pop_all()
                return Attached(backend, recorder, refused)
    return Attached(StateBackend(), refused=refused)


def leftovers(tracefs: Tracefs) -> list[str]:
    """What a killed agent left in tracefs; the caller holds the node."""
    found = [f"instance {name}" for name in INSTANCES if tracefs.exists(f"instances/{name}")]
    return found + [f"probe {GROUP}/{name}" for name in dynevent.defined(tracefs, GROUP)]


def remove_leftovers(tracefs: Tracefs) -> list[str]:
    """Remove what a killed agent left in tracefs, and nothing that is not ours; what was removed."""
    removed = leftovers(tracefs)
    for name in INSTANCES:
        remove_instance(tracefs, name)
    dynevent.undefine(tracefs, GROUP)
    return removed


def _instances(tracefs: Tracefs, budget_bytes: int, undo: ExitStack) -> tuple[Instance, Instance, Instance]:
    sizes = buffer_sizes(budget_bytes, len(tracefs.names("per_cpu")))
    return (
        undo.enter_context(Instance(tracefs, URGENT, buffer_size_kb=sizes.urgent_kb, overwrite=False)),
        undo.enter_context(Instance(tracefs, BULK, buffer_size_kb=sizes.bulk_kb, overwrite=False)),
        undo.enter_context(Instance(tracefs, RECORDER, buffer_size_kb=sizes.recorder_kb, overwrite=True)),
    )


def _silence(tracefs: Tracefs) -> None:
    """Switch off what an earlier life with another backend left switched on."""
    probes = dynevent.defined(tracefs, GROUP)
    for name in INSTANCES:
        tracefs.write(f"instances/{name}/events/enable", "0", truncate=True)
        for probe in probes:
            remove_triggers(tracefs, f"instances/{name}/events/{GROUP}/{probe}")
        if tracefs.exists(f"instances/{name}/current_tracer"):
            tracefs.write(f"instances/{name}/current_tracer", "nop", truncate=True)
    dynevent.undefine(tracefs, GROUP)


def _make(name: str, instances: tuple[Instance, Instance, Instance], where: Where) -> Backend:
    urgent, bulk, recorder = instances
    if name == "kprobe":
        kprobe = KprobeBackend(
            urgent,
            bulk,
            recorder,
            own_tid=where.own_tid,
            machine=where.machine,
            dev=where.dev,
            proc=where.proc,
        )
        kprobe.attach()
        return kprobe
    if name == "tracepoint":
        tracepoint = TracepointBackend(
            urgent, bulk, own_tid=where.own_tid, compat=where.compat, machine=where.machine, proc=where.proc
        )
        tracepoint.attach()
        return tracepoint
    function = FunctionBackend(urgent, bulk, own_tid=where.own_tid, proc=where.proc)
    function.attach()
    return function


def left_by(tracefs: Tracefs) -> str | None:
    """Which backend an earlier life was using, None when it left nothing."""
    if dynevent.defined(tracefs, GROUP):
        return "kprobe"
    folder = f"instances/{URGENT}"
    if not tracefs.exists(folder):
        return None
    if tracefs.exists(f"{folder}/current_tracer") and tracefs.read(f"{folder}/current_tracer").startswith("function"):
        return "function"
    return "tracepoint" if tracefs.read(f"{folder}/events/enable").strip() != "0" else None
