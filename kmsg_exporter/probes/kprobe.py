"""The kprobe backend: syslog(2) by both ABIs and the two files, with actions, results and what reads returned.

do_syslog is not probed: compilers split and inline it. Functions whose address is taken stay whole.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from kmsg_exporter.errors import DecodeError, FeatureUnavailable, TracefsRejected
from kmsg_exporter.model import Access, Counted, Interface, Operation, ProbeState
from kmsg_exporter.probes import decoders
from kmsg_exporter.probes.backend import GROUP, RecordReader
from kmsg_exporter.probes.decoders import Binder
from kmsg_exporter.probes.fileflags import f_flags_offset, offset_in
from kmsg_exporter.probes.inkernel import InKernel
from kmsg_exporter.probes.ticks import read_ticks
from kmsg_exporter.tracefs import dynevent
from kmsg_exporter.tracefs.dynevent import Kprobe, Kretprobe
from kmsg_exporter.tracefs.hist import Hist, remove_triggers
from kmsg_exporter.tracefs.hist_pair import TICKS, HistPair
from kmsg_exporter.tracefs.instance import Instance

_PREFIX = "ke_"  # kprobe_profile tells events by name alone, so the names are ours
_COMM = "comm=$comm"
_READING = "!(flags & 1)"  # O_RDONLY is 0, O_WRONLY 1, O_RDWR 2
_GAVE = "ret > 0"  # what gave nothing counts for nothing: it takes no room from what does
_HIST = "events/sched/sched_process_exec/hist"  # every event has one, or none
_READS_SIZE: Final = 1024  # of each map, in processes: some 300 bytes each
_CALLS_SIZE: Final = 512


@dataclass(frozen=True, slots=True)
class SyslogEntry:
    """Where one kernel keeps the arguments of syslog(2) at the entry of `symbol`."""

    symbol: str
    action: str
    length: str


# the newest kernels' names first; each is tried until one is accepted
_NATIVE: Final = {
    "x86_64": (
        SyslogEntry("__x64_sys_syslog", "+112(%di)", "+96(%di)"),  # regs->di, regs->dx; since 4.17
        SyslogEntry("SyS_syslog", "%di", "%dx"),
        SyslogEntry("sys_syslog", "%di", "%dx"),
    ),
    "aarch64": (
        SyslogEntry("__arm64_sys_syslog", "+0(%x0)", "+16(%x0)"),  # 32-bit callers come this way too
        SyslogEntry("SyS_syslog", "%x0", "%x2"),
        SyslogEntry("sys_syslog", "%x0", "%x2"),
    ),
}
_COMPAT: Final = {
    "x86_64": (SyslogEntry("__ia32_sys_syslog", "+40(%di)", "+96(%di)"),),  # regs->bx, regs->dx
}
# Every printed record goes through one of these (since 5.10): the flight recorder keeps when, so that of several
# clears in a row it can be told which had something to hide. They are in another file than their callers: not inlined.
_PRINTED: Final = (("ke_printed", "prb_final_commit"), ("ke_printed_open", "prb_commit"))
_SECOND_ARGUMENT: Final = {"x86_64": "%si", "aarch64": "%x1"}


@dataclass(frozen=True, slots=True)
class Traced:
    """One probe: its definition, the filter that the kernel applies, where its records go and how they are read.

    `hist` counts its calls in the kernel too. Those of a `bulk` probe are recorded only where that can't be had.
    """

    probe: Kprobe | Kretprobe
    binder: Binder
    event_filter: str = ""
    bulk: bool = False
    hist: Hist | None = None

    @property
    def event(self) -> str:
        return f"{GROUP}/{self.probe.name}"

    @property
    def name(self) -> str:
        return self.probe.name.removeprefix(_PREFIX)


def syslog_probes(entry: SyslogEntry, call: str) -> tuple[Traced, Traced]:
    """Entry and return of syslog(2) by one ABI."""
    arguments = (f"action={entry.action}:s32", f"len={entry.length}:s32", _COMM)
    return (
        Traced(
            Kprobe(GROUP, f"{_PREFIX}{call}_enter", entry.symbol, arguments),
            decoders.syslog_enter(call, action="action", length="len"),
            hist=Hist(("common_pid", "action"), (), _CALLS_SIZE, "(action == 5 || (action == 4 && len > 0))"),
        ),
        Traced(
            Kretprobe(GROUP, f"{_PREFIX}{call}_exit", entry.symbol, ("ret=$retval:s64",)),
            decoders.leave(call, "syslog", "call"),
            hist=Hist(("common_pid",), (), _CALLS_SIZE, "ret < 0"),
        ),
    )


def file_probes(interface: Interface, *, flags: str | None) -> tuple[Traced, ...]:
    """Opens, reads, writes and releases of one of the two files. `flags` is the fetch argument for f_flags."""
    stem = "devkmsg" if interface == "dev_kmsg" else "kmsg"

    def returned(name: str, operation: Operation) -> Traced:
        return Traced(
            Kretprobe(GROUP, f"{_PREFIX}{name}", name, ("ret=$retval:s64", _COMM)),
            decoders.whole(interface, operation),
            event_filter=_GAVE,
            bulk=True,
            hist=Hist(("common_pid", "comm"), ("ret",), _READS_SIZE, _GAVE),
        )

    opened = f"{stem}_open"
    opens = (
        ()
        if flags is None
        else (
            Traced(
                Kprobe(GROUP, f"{_PREFIX}{opened}", opened, (f"flags={flags}:u32", _COMM)),
                decoders.enter(opened, interface, "open"),
                event_filter=_READING,
            ),
            Traced(
                Kretprobe(GROUP, f"{_PREFIX}{opened}_exit", opened, ("ret=$retval:s32",)),
                decoders.leave(opened, interface, "open"),
            ),
        )
    )
    release = f"{stem}_release"
    released = Traced(Kprobe(GROUP, f"{_PREFIX}{release}", release, (_COMM,)), decoders.whole(interface, "release"))
    writes = (returned("devkmsg_write", "write"),) if interface == "dev_kmsg" else ()
    return (*opens, returned(f"{stem}_read", "read"), released, *writes)


class KprobeBackend:
    """Kprobes in two instances: what wakes us, and what is only counted.

    `own_tid` is the thread that looks at the log itself: the kernel leaves its calls out.
    """

    name = "kprobe"

    def __init__(
        self, urgent: Instance, bulk: Instance, recorder: Instance, *, own_tid: int, machine: str, dev: Path, proc: Path
    ) -> None:
        self._recorder = recorder
        self._urgent = urgent
        self._bulk = bulk
        self._own_tid = own_tid
        self._machine = machine
        self._dev = dev
        self._tracefs = urgent.tracefs
        self._reader = RecordReader(urgent, bulk, proc=proc)
        self._attached: dict[str, Traced] = {}
        self._failed: dict[str, str] = {}
        self._counts = False
        self._inkernel = InKernel(self._reader, self._ticks)

    def attach(self) -> None:
        """Define and enable every probe. Raises TracefsRejected or FeatureUnavailable where syslog(2) takes none."""
        if not self._tracefs.exists(dynevent.KPROBE_EVENTS):
            raise FeatureUnavailable("this kernel has no kprobe_events (CONFIG_KPROBE_EVENTS)")
        with ExitStack() as undo:
            undo.callback(self._detach)
            offset, self._counts = self._calibrate()
            self._put_first(_NATIVE.get(self._machine, (SyslogEntry("sys_syslog", "$arg1", "$arg3"),)), "syslog")
            with suppress(FeatureUnavailable, TracefsRejected):
                self._put_first(_COMPAT.get(self._machine, ()), "syslog32")
            flags = None if offset is None else f"+{offset}({self._second_argument()})"
            if flags is None:
                self._failed["devkmsg_open"] = self._failed["kmsg_open"] = "the offset of f_flags can't be found out"
            for traced in (*file_probes("dev_kmsg", flags=flags), *file_probes("proc_kmsg", flags=flags)):
                try:
                    self._put(traced)
                except (FeatureUnavailable, TracefsRejected) as exc:
                    self._failed[traced.name] = str(exc)
            for name, symbol in _PRINTED:
                with suppress(FeatureUnavailable, TracefsRejected):
                    if name not in dynevent.defined(self._tracefs, GROUP):
                        dynevent.define(self._tracefs, Kprobe(GROUP, name, symbol))
                    self._recorder.enable(f"{GROUP}/{name}")
            undo.pop_all()

    def fds(self) -> list[int]:
        return self._reader.fds()

    def drain(self, *, bulk: bool) -> list[Access]:
        return self._inkernel.drain(bulk=bulk)

    def counted(self) -> list[Counted]:
        return self._inkernel.counted()

    def behind(self) -> bool:
        return self._reader.behind()

    def clear_pending(self) -> bool:
        return self._reader.clear_pending()

    def lost_events(self) -> int:
        return self._reader.lost_events() + self._inkernel.dropped

    def probes(self) -> tuple[ProbeState, ...]:
        profiles = dynevent.profiles(self._tracefs)

        def state(traced: Traced) -> ProbeState:
            profile = profiles.get(traced.probe.name)
            if profile is None:
                return ProbeState(traced.name, attached=False)
            counted = self._inkernel.files.get(traced.name)
            enabled = counted.attached() if counted else self._instance(traced).is_enabled(traced.event)
            return ProbeState(traced.name, enabled, profile.hits, profile.missed)

        failed = (ProbeState(name, attached=False) for name in self._failed)
        return (*(state(traced) for traced in self._attached.values()), *failed)

    def failures(self) -> dict[str, str]:
        """Why a probe is not there, by its name."""
        return dict(self._failed)

    def intact(self) -> bool:
        return all(state.attached for state in self.probes() if state.name in self._attached)

    def close(self, *, keep: bool = False) -> None:
        self._urgent.close(keep=keep)
        self._bulk.close(keep=keep)
        if not keep:
            dynevent.undefine(self._tracefs, GROUP)

    def _put_first(self, entries: tuple[SyslogEntry, ...], call: str) -> None:
        """Attach to the first of the symbols that this kernel has."""
        refused: FeatureUnavailable | TracefsRejected | None = None
        for entry in entries:
            try:
                for traced in syslog_probes(entry, call):
                    self._put(traced)
            except TracefsRejected as exc:
                if exc.errno not in (errno.ENOENT, errno.EINVAL, errno.EADDRNOTAVAIL):
                    raise
                refused = refused or exc
            except FeatureUnavailable as exc:
                refused = refused or exc
            else:
                return
        raise refused or FeatureUnavailable(f"no symbol of syslog(2) is known for {self._machine}")

    def _put(self, traced: Traced) -> None:
        """Define and enable one probe; one that an earlier life left is taken over with what it recorded."""
        if self._counts and traced.hist is not None:
            traced = replace(traced, probe=replace(traced.probe, fetchargs=(*traced.probe.fetchargs, TICKS)))
        instance = self._instance(traced)
        there = dynevent.defined(self._tracefs, GROUP).get(traced.probe.name)
        if there != str(traced.probe):
            if there is not None:
                instance.disable(traced.event)
                remove_triggers(self._tracefs, f"{instance.path}/events/{traced.event}")
                self._tracefs.write(dynevent.KPROBE_EVENTS, f"-:{traced.event}\n")
            dynevent.define(self._tracefs, traced.probe)
        layout = instance.format(traced.event)
        self._reader.decoders[layout.id] = traced.binder(layout)
        own = f"common_pid != {self._own_tid}"
        counted = self._count(traced, own)
        if not (counted and traced.bulk):
            instance.enable(
                traced.event, event_filter=f"{own} && {traced.event_filter}" if traced.event_filter else own
            )
        self._attached[traced.name] = traced

    def _count(self, traced: Traced, own: str) -> bool:
        """Have the kernel count what a probe sees. Whether it does."""
        if not self._counts or traced.hist is None:
            return False
        pair = HistPair(
            self._instance(traced),
            traced.event,
            replace(traced.hist, condition=f"{own} && {traced.hist.condition}"),
        )
        try:
            pair.attach()
        except (DecodeError, FeatureUnavailable, TracefsRejected) as exc:
            self._failed[f"{traced.name} (counted in the kernel)"] = str(exc)
            return False
        self._inkernel.add(traced.name, pair, bulk=traced.bulk)
        return True

    def _calibrate(self) -> tuple[int | None, bool]:
        """(the offset of f_flags, None when it can't be found out; whether calls can be counted in the kernel)."""
        more = (TICKS,) if self._tracefs.exists(_HIST) else ()
        left = dynevent.defined(self._tracefs, GROUP)
        if (found := offset_in(left.get(f"{_PREFIX}devkmsg_open", ""))) is not None:
            return found, bool(more) and any(TICKS in definition for definition in left.values())
        with suppress(DecodeError):
            return f_flags_offset(
                self._bulk, more, group=GROUP, register=self._second_argument(), own_tid=self._own_tid, dev=self._dev
            )
        return None, False

    def _ticks(self) -> int | None:
        with suppress(DecodeError):
            return read_ticks(self._bulk, group=GROUP, own_tid=self._own_tid, dev=self._dev)
        return None

    def _second_argument(self) -> str:
        return _SECOND_ARGUMENT.get(self._machine, "$arg2")

    def _instance(self, traced: Traced) -> Instance:
        return self._bulk if traced.bulk else self._urgent

    def _detach(self) -> None:
        for name, _symbol in _PRINTED:
            self._recorder.disable(f"{GROUP}/{name}")
        for traced in self._attached.values():
            self._instance(traced).disable(traced.event)
            remove_triggers(self._tracefs, f"{self._instance(traced).path}/events/{traced.event}")
        dynevent.undefine(self._tracefs, GROUP)
