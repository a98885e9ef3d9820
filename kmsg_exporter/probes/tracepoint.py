"""The tracepoint backend: syscalls:sys_{enter,exit}_syslog, and opens of the two files as a hint.

Reads of the files, and 32-bit callers, are not seen by it. With `compat` raw_syscalls sees the latter on x86,
where syslog(2) has the same number in both ABIs; that taxes every system call of every task.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_exporter.errors import FeatureUnavailable, TracefsRejected
from kmsg_exporter.model import Access, Counted, ProbeState
from kmsg_exporter.probes import decoders
from kmsg_exporter.probes.backend import RecordReader
from kmsg_exporter.probes.decoders import Binder
from kmsg_exporter.tracefs.instance import Instance

_X86_SYSLOG = 103  # in both ABIs
# A name on a page that is not there yet, or a relative one, is missed: what holds a file open is found by scanning.
_OPENS: Final = '(filename.ustring == "/dev/kmsg" || filename.ustring == "/proc/kmsg") && !(flags & 1)'


@dataclass(frozen=True, slots=True)
class TracedEvent:
    """One event of the kernel's own: its filter and how its records are read."""

    name: str
    event: str
    binder: Binder
    event_filter: str = ""


SYSCALL_EVENTS: Final = (
    TracedEvent(
        "syslog_enter",
        "syscalls/sys_enter_syslog",
        decoders.syslog_enter("syslog", action="type", length="len"),
    ),
    TracedEvent("syslog_exit", "syscalls/sys_exit_syslog", decoders.leave("syslog", "syslog", "call")),
)
COMPAT_EVENTS: Final = (
    TracedEvent("syslog_enter", "raw_syscalls/sys_enter", decoders.raw_syslog_enter("syslog"), f"id == {_X86_SYSLOG}"),
    TracedEvent(
        "syslog_exit", "raw_syscalls/sys_exit", decoders.leave("syslog", "syslog", "call"), f"id == {_X86_SYSLOG}"
    ),
)
HINTS: Final = (TracedEvent("openat_hint", "syscalls/sys_enter_openat", decoders.whole("dev_kmsg", "open"), _OPENS),)


class TracepointBackend:
    """Events of the kernel's own in one instance; `own_tid` is left out by the kernel."""

    name = "tracepoint"

    def __init__(
        self, urgent: Instance, bulk: Instance, *, own_tid: int, compat: bool, machine: str, proc: Path
    ) -> None:
        self._urgent = urgent
        self._bulk = bulk
        self._own_tid = own_tid
        self._compat = compat
        self._machine = machine
        self._reader = RecordReader(urgent, bulk, proc=proc)
        self._attached: dict[int, TracedEvent] = {}
        self._failed: dict[str, str] = {}

    def attach(self) -> None:
        """Enable the events. Raises TracefsRejected or FeatureUnavailable when syslog(2) can't be traced."""
        if self._compat and self._machine != "x86_64":
            raise FeatureUnavailable(
                f"--trace.compat-syscalls: on {self._machine} the number of syslog(2) is another call's in the "
                "other ABI; use the kprobe backend, which sees both"
            )
        with ExitStack() as undo:
            undo.callback(self._detach)
            for traced in COMPAT_EVENTS if self._compat else SYSCALL_EVENTS:
                self._put(traced)
            for traced in HINTS:
                try:
                    self._put(traced)
                except (FeatureUnavailable, TracefsRejected) as exc:
                    self._failed[traced.name] = str(exc)
            undo.pop_all()

    def fds(self) -> list[int]:
        return self._reader.fds()

    def drain(self, *, bulk: bool) -> list[Access]:
        return self._reader.drain(bulk=bulk)

    def counted(self) -> list[Counted]:
        return []

    def behind(self) -> bool:
        return self._reader.behind()

    def clear_pending(self) -> bool:
        return self._reader.clear_pending()

    def lost_events(self) -> int:
        return self._reader.lost_events()

    def probes(self) -> tuple[ProbeState, ...]:
        return tuple(  # a hint that can't be had is no blindness: it stands in `failures` only
            ProbeState(traced.name, self._urgent.is_enabled(traced.event), self._reader.seen.get(number, 0))
            for number, traced in self._attached.items()
        )

    def failures(self) -> dict[str, str]:
        """Why a probe is not there, by its name."""
        return dict(self._failed)

    def intact(self) -> bool:
        return all(self._urgent.is_enabled(traced.event) for traced in self._attached.values())

    def close(self, *, keep: bool = False) -> None:
        self._urgent.close(keep=keep)
        self._bulk.close(keep=keep)

    def _put(self, traced: TracedEvent) -> None:
        layout = self._urgent.format(traced.event)
        self._reader.decoders[layout.id] = traced.binder(layout)
        own = f"common_pid != {self._own_tid}"
        self._urgent.enable(
            traced.event, event_filter=f"{own} && {traced.event_filter}" if traced.event_filter else own
        )
        self._attached[layout.id] = traced

    def _detach(self) -> None:
        for traced in self._attached.values():
            self._urgent.disable(traced.event)
