"""What of a traced call's time each part of the tracing takes: they are switched on one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kmsg_bench.cost import Effort
from kmsg_bench.figures import Spread
from kmsg_bench.programs import Caller
from kmsg_exporter.errors import FeatureUnavailable, TracefsRejected
from kmsg_exporter.probes.kprobe import SyslogEntry, syslog_probes
from kmsg_exporter.tracefs.files import Tracefs
from kmsg_exporter.tracefs.hist import Hist, remove_triggers
from kmsg_exporter.tracefs.hist_pair import TICKS, HistPair
from kmsg_exporter.tracefs.instance import Instance

_INSTANCE: Final = "kmsg_bench"
_GROUP: Final = "kmsg_bench"
_DYNAMIC_EVENTS: Final = "dynamic_events"
_OWN: Final = "common_pid != 1"  # as the agent leaves its own calls out
_COUNT: Final = "hist:keys=common_pid:size=4096"
_ENTER, _EXIT = "syscalls/sys_enter_syslog", "syscalls/sys_exit_syslog"
_SYSLOG: Final = "__x64_sys_syslog"
_ARGUMENTS: Final = "action=+112(%di):s32 len=+96(%di):s32 comm=$comm"
_LATE_ARGUMENTS: Final = "action=+112($arg1):s32 len=+96($arg1):s32 comm=$comm ret=$retval:s64"
_PROBES: Final = {
    "enter": f"p:{{event}} {_SYSLOG} {_ARGUMENTS}",
    "exit": f"r256:{{event}} {_SYSLOG} ret=$retval:s64",
    "t_enter": f"p:{{event}} {_SYSLOG} {_ARGUMENTS} {TICKS}",
    "t_exit": f"r256:{{event}} {_SYSLOG} ret=$retval:s64 {TICKS}",
    "whole": f"r256:{{event}} {_SYSLOG} {_LATE_ARGUMENTS}",  # since 6.9 (25f00e40ce79)
    "f_enter": f"f:{{event}} {_SYSLOG} {_ARGUMENTS.replace('%di', '$arg1')}",
    "f_exit": f"f256:{{event}} {_SYSLOG}%return ret=$retval:s64",
    "f_whole": f"f256:{{event}} {_SYSLOG}%return {_LATE_ARGUMENTS}",
}
_P_ENTER, _P_EXIT = f"{_GROUP}/enter", f"{_GROUP}/exit"
_T_ENTER, _T_EXIT = f"{_GROUP}/t_enter", f"{_GROUP}/t_exit"
# what the agent has the kernel count beside its records: clears, and calls that failed
_CLEARS, _FAILURES = (probe.hist for probe in syslog_probes(SyslogEntry(_SYSLOG, "+112(%di)", "+96(%di)"), "syslog"))


@dataclass(frozen=True, slots=True)
class Rung:
    """What is on: events with their filters, a trigger on the first, and who is left out by the instance itself.

    `counted` are histograms beside what is recorded, in pairs as the agent has them.
    """

    name: str
    events: tuple[tuple[str, str], ...] = ()
    trigger: str = ""
    counted: tuple[tuple[str, Hist | None], ...] = ()
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
    Rung(
        "and clears and failures counted in the kernel beside that, as the agent has it",
        ((_T_ENTER, _OWN), (_T_EXIT, _OWN)),
        counted=((_T_ENTER, _CLEARS), (_T_EXIT, _FAILURES)),
    ),
    Rung("with set_event_notrace_pid in place of the filters", ((_P_ENTER, ""), (_P_EXIT, "")), notrace_pid=True),
    Rung("with the filters and the clock local", ((_P_ENTER, _OWN), (_P_EXIT, _OWN)), clock="local"),
    Rung("entry and return dropped by a filter", ((_P_ENTER, "action < 0"), (_P_EXIT, "ret < 0"))),
    Rung("return counted by a hist trigger, entry recorded", ((_P_EXIT, ""), (_P_ENTER, "")), trigger=_COUNT),
    Rung("one return probe with the arguments too", ((f"{_GROUP}/whole", _OWN),)),
    Rung("entry and return as fprobes", ((f"{_GROUP}/f_enter", _OWN), (f"{_GROUP}/f_exit", _OWN))),
    Rung("one fprobe on the return with the arguments too", ((f"{_GROUP}/f_whole", _OWN),)),
)


def measure(tracefs: Tracefs, programs: Path, effort: Effort, rungs: Sequence[Rung]) -> dict[str, Spread]:
    """Nanoseconds a call on each rung that this kernel can have, in interleaved rounds.

    Nobody reads what is recorded: the oldest goes.
    """
    found: dict[str, list[float]] = {}
    with ExitStack() as stack:
        instance = stack.enter_context(Instance(tracefs, _INSTANCE, buffer_size_kb=256, overwrite=True))
        caller = stack.enter_context(Caller(programs))
        there = [rung for rung in rungs if _is_there(rung, tracefs)]
        for _ in range(effort.rounds):
            for rung in there:
                with _defined(rung, tracefs), _standing_on(rung, instance):
                    timed = caller.time_ns("syslog", bursts=effort.bursts, calls=effort.calls, pause_seconds=0.0)
                found.setdefault(rung.name, []).append(min(timed))  # what is beyond was somebody else's
    return {name: Spread.of(rounds) for name, rounds in found.items()}


def _is_there(rung: Rung, tracefs: Tracefs) -> bool:
    """Whether this kernel has all that it takes."""
    with suppress(FeatureUnavailable, TracefsRejected), _defined(rung, tracefs):
        return all(tracefs.exists(f"events/{event}") for event, _ in rung.events) and all(
            tracefs.exists(f"events/{event}/hist") for event, _ in rung.counted
        )
    return False


@contextmanager
def _defined(rung: Rung, tracefs: Tracefs) -> Iterator[None]:
    """Its own probes and no others: an fprobe that is only defined is on the way of each call already."""
    with ExitStack() as undo:
        for event, _ in rung.events:
            group, _, name = event.partition("/")
            if group == _GROUP:
                tracefs.write(_DYNAMIC_EVENTS, _PROBES[name].format(event=event))
                undo.callback(tracefs.write, _DYNAMIC_EVENTS, f"-:{event}")
        yield


@contextmanager
def _standing_on(rung: Rung, instance: Instance) -> Iterator[None]:
    instance.set("trace_clock", rung.clock)
    with ExitStack() as undo:
        if rung.notrace_pid:
            instance.set("set_event_notrace_pid", "1")
            undo.callback(instance.set, "set_event_notrace_pid", "")
        for event, hist in rung.counted:
            if hist is not None:
                undo.callback(remove_triggers, instance.tracefs, f"{instance.path}/events/{event}")
                HistPair(instance, event, replace(hist, condition=f"{_OWN} && {hist.condition}")).attach()
        for number, (event, event_filter) in enumerate(rung.events):
            if rung.trigger and number == 0:
                trigger = f"{instance.path}/events/{event}/trigger"
                instance.tracefs.write(trigger, rung.trigger)
                undo.callback(instance.tracefs.write, trigger, f"!{rung.trigger}")
                continue
            instance.enable(event, event_filter=event_filter)
            undo.callback(instance.disable, event)
        yield
