"""What of a traced call's time each part of the tracing takes: they are switched on one after the other."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_bench.cost import Effort
from kmsg_bench.figures import Spread
from kmsg_bench.programs import Caller
from kmsg_exporter.tracefs import dynevent
from kmsg_exporter.tracefs.dynevent import Kprobe, Kretprobe
from kmsg_exporter.tracefs.files import Tracefs
from kmsg_exporter.tracefs.instance import Instance

_INSTANCE: Final = "kmsg_bench"
_GROUP: Final = "kmsg_bench"
_OWN: Final = "common_pid != 1"  # as the agent leaves its own calls out
_COUNT: Final = "hist:keys=common_pid:size=4096"
_ENTER, _EXIT = "syscalls/sys_enter_syslog", "syscalls/sys_exit_syslog"
_PROBES: Final = (
    Kprobe(_GROUP, "kb_enter", "__x64_sys_syslog", ("action=+112(%di):s32", "len=+96(%di):s32", "comm=$comm")),
    Kretprobe(_GROUP, "kb_exit", "__x64_sys_syslog", ("ret=$retval:s64",)),
)
_P_ENTER, _P_EXIT = f"{_GROUP}/kb_enter", f"{_GROUP}/kb_exit"


@dataclass(frozen=True, slots=True)
class Rung:
    """What is on: events with their filters, a trigger on the first, and who is left out by the instance itself."""

    name: str
    events: tuple[tuple[str, str], ...] = ()
    trigger: str = ""
    notrace_pid: bool = False
    clock: str = "boot"


BARE: Final = Rung("nothing")
TRACEPOINT: Final = (
    BARE,
    Rung("the slow path of system calls, taken for another call's event", (("syscalls/sys_enter_acct", ""),)),
    Rung("entry recorded", ((_ENTER, ""),)),
    Rung("entry and return recorded", ((_ENTER, ""), (_EXIT, ""))),
    Rung("and a filter on each", ((_ENTER, _OWN), (_EXIT, _OWN))),
    Rung("with set_event_notrace_pid in place of the filters", ((_ENTER, ""), (_EXIT, "")), notrace_pid=True),
    Rung("with the filters and the clock mono_raw", ((_ENTER, _OWN), (_EXIT, _OWN)), clock="mono_raw"),
    Rung("with the filters and the clock local", ((_ENTER, _OWN), (_EXIT, _OWN)), clock="local"),
    Rung("entry and return dropped by a filter", ((_ENTER, "type < 0"), (_EXIT, "ret < 0"))),
)
KPROBE: Final = (
    BARE,
    Rung("entry recorded", ((_P_ENTER, ""),)),
    Rung("entry and return recorded", ((_P_ENTER, ""), (_P_EXIT, ""))),
    Rung("and a filter on each", ((_P_ENTER, _OWN), (_P_EXIT, _OWN))),
    Rung("with set_event_notrace_pid in place of the filters", ((_P_ENTER, ""), (_P_EXIT, "")), notrace_pid=True),
    Rung("with the filters and the clock local", ((_P_ENTER, _OWN), (_P_EXIT, _OWN)), clock="local"),
    Rung("entry and return dropped by a filter", ((_P_ENTER, "action < 0"), (_P_EXIT, "ret < 0"))),
    Rung("return counted by a hist trigger, entry recorded", ((_P_EXIT, ""), (_P_ENTER, "")), trigger=_COUNT),
)


def measure(tracefs: Tracefs, programs: Path, effort: Effort, rungs: Sequence[Rung]) -> dict[str, Spread]:
    """Nanoseconds a call on each rung, in interleaved rounds. Nobody reads what is recorded: the oldest goes."""
    found: dict[str, list[float]] = {rung.name: [] for rung in rungs}
    with ExitStack() as stack:
        if any(event.startswith(_GROUP) for rung in rungs for event, _ in rung.events):
            stack.callback(dynevent.undefine, tracefs, _GROUP)
            for probe in _PROBES:
                dynevent.define(tracefs, probe)
        instance = stack.enter_context(Instance(tracefs, _INSTANCE, buffer_size_kb=256, overwrite=True))
        caller = stack.enter_context(Caller(programs))
        for _ in range(effort.rounds):
            for rung in rungs:
                with _standing_on(rung, instance):
                    timed = caller.time_ns("syslog", bursts=effort.bursts, calls=effort.calls, pause_seconds=0.0)
                found[rung.name].append(statistics.median(timed))
    return {name: Spread.of(rounds) for name, rounds in found.items()}


@contextmanager
def _standing_on(rung: Rung, instance: Instance) -> Iterator[None]:
    instance.set("trace_clock", rung.clock)
    with ExitStack() as undo:
        if rung.notrace_pid:
            instance.set("set_event_notrace_pid", "1")
            undo.callback(instance.set, "set_event_notrace_pid", "")
        for number, (event, event_filter) in enumerate(rung.events):
            if rung.trigger and number == 0:
                trigger = f"{instance.path}/events/{event}/trigger"
                instance.tracefs.write(trigger, rung.trigger)
                undo.callback(instance.tracefs.write, trigger, f"!{rung.trigger}")
                continue
            instance.enable(event, event_filter=event_filter)
            undo.callback(instance.disable, event)
        yield
