"""The function backend: the function tracer on the same functions as the kprobes. It tells who called, not what for.

`set_ftrace_filter` holds only the functions asked for, so that only they are patched.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final

from kmsg_exporter.errors import FeatureUnavailable
from kmsg_exporter.model import Access, Counted, Interface, Operation, ProbeState
from kmsg_exporter.probes.backend import BULK_FILES, RecordReader
from kmsg_exporter.probes.decoders import Decoder
from kmsg_exporter.probes.pairing import Step
from kmsg_exporter.tracefs.format import EventFormat, parse_format
from kmsg_exporter.tracefs.instance import Instance

# whatever syslog(2) is called there, the newest kernels' names first
_SYSLOG: Final = ("__x64_sys_syslog", "__arm64_sys_syslog", "SyS_syslog", "sys_syslog")
_COMPAT: Final = ("__ia32_sys_syslog",)
_URGENT_FILES: Final[dict[str, tuple[Interface, Operation]]] = {
    "devkmsg_open": ("dev_kmsg", "open"),
    "devkmsg_release": ("dev_kmsg", "release"),
    "kmsg_open": ("proc_kmsg", "open"),
    "kmsg_release": ("proc_kmsg", "release"),
}
_FORMAT = "events/ftrace/function/format"
_SYMBOL: Final = re.compile(r"([0-9a-f]{1,16}) \S (\S+)")
_FUNCTION_BYTES = 64  # the address recorded is a few bytes into the function


class FunctionBackend:
    """The function tracer in two instances; `own_tid` is left out by the kernel."""

    name = "function"

    def __init__(self, urgent: Instance, bulk: Instance, *, own_tid: int, proc: Path) -> None:
        self._urgent = urgent
        self._bulk = bulk
        self._own_tid = own_tid
        self._proc = proc
        self._addresses: dict[str, int] = {}
        self._tracefs = urgent.tracefs
        self._reader = RecordReader(urgent, bulk, proc=proc)
        self._functions: dict[str, tuple[Interface, Operation]] = {}
        self._hits: dict[str, int] = {}

    def attach(self) -> None:
        """Set the filters and the tracer. Raises TracefsRejected or FeatureUnavailable when that can't be."""
        if "function" not in self._tracefs.read("available_tracers").split():
            raise FeatureUnavailable("this kernel has no function tracer (CONFIG_FUNCTION_TRACER)")
        there = self._available()
        syslog = next((name for name in _SYSLOG if name in there), None)
        if syslog is None:
            raise FeatureUnavailable("available_filter_functions lists no function of syslog(2)")
        calls: dict[str, tuple[Interface, Operation]] = {
            name: ("syslog", "call") for name in (syslog, *_COMPAT) if name in there
        }
        urgent = calls | {name: what for name, what in _URGENT_FILES.items() if name in there}
        bulk = {name: what for name, what in BULK_FILES.items() if name in there}
        self._functions = urgent | bulk
        self._addresses = read_kallsyms(self._functions, proc=self._proc)
        if missing := [name for name in self._functions if name not in self._addresses]:
            raise FeatureUnavailable(f"kallsyms gives no address of {missing[0]}: CAP_SYSLOG is missing")
        layout = parse_format(self._tracefs.read(_FORMAT))
        self._reader.decoders[layout.id] = self._decoder(layout)
        for instance, functions in ((self._urgent, urgent), (self._bulk, bulk)):
            instance.set("set_ftrace_notrace_pid", str(self._own_tid))
            for number, name in enumerate(functions):
                self._tracefs.write(f"{instance.path}/set_ftrace_filter", f"{name}\n", truncate=number == 0)
            # what is patched is no witness: others may begin to trace in this very moment
            held = set(map(_function, self._tracefs.lines(f"{instance.path}/set_ftrace_filter")))
            if held != set(functions):
                raise FeatureUnavailable(f"the filter of {instance.name} does not hold what was asked for")
            instance.set("current_tracer", "function")

    def fds(self) -> list[int]:
        return self._reader.fds()

    def drain(self, *, bulk: bool) -> list[Access]:
        return self._reader.drain(bulk=bulk)

    def counted(self) -> list[Counted]:
        return []

    def behind(self) -> bool:
        return self._reader.behind()

    def clear_pending(self) -> bool:
        return False

    def lost_events(self) -> int:
        return self._reader.lost_events()

    def probes(self) -> tuple[ProbeState, ...]:
        attached = self.intact()
        return tuple(ProbeState(name, attached, self._hits.get(name, 0)) for name in self._functions)

    def failures(self) -> dict[str, str]:
        """Why a probe is not there, by its name."""
        return {}

    def intact(self) -> bool:
        return all(
            instance.alive() and self._tracefs.read(f"{instance.path}/current_tracer").strip() == "function"
            for instance in (self._urgent, self._bulk)
        )

    def close(self, *, keep: bool = False) -> None:
        self._urgent.close(keep=keep)
        self._bulk.close(keep=keep)

    def _available(self) -> set[str]:
        wanted = {*_SYSLOG, *_COMPAT, *_URGENT_FILES, *BULK_FILES}
        return {name for name in map(_function, self._tracefs.lines("available_filter_functions")) if name in wanted}

    def _decoder(self, layout: EventFormat) -> Decoder:
        tid, address = layout["common_pid"], layout["ip"]
        starts = sorted((self._addresses[name], name) for name in self._functions)

        def decode(time_ns: int, record: bytes) -> Step | None:
            at = address.integer(record) & 0xFFFFFFFFFFFFFFFF
            name = next((name for start, name in starts if start <= at < start + _FUNCTION_BYTES), None)
            if name is None:
                return None
            self._hits[name] = self._hits.get(name, 0) + 1
            interface, operation = self._functions[name]
            return Step(time_ns, tid.integer(record), "whole", name, interface, operation, "unknown")

        return decode


def _function(line: str) -> str:
    return line.split(None, 1)[0]


def read_kallsyms(names: Collection[str], *, proc: Path) -> dict[str, int]:
    """The addresses of some functions. Empty where /proc/kallsyms shows none (it takes CAP_SYSLOG)."""
    found: dict[str, int] = {}
    with (proc / "kallsyms").open(encoding="ascii", errors="replace") as file:
        for line in file:
            match = _SYMBOL.match(line)
            if match is not None and match[2] in names and int(match[1], 16):
                found[match[2]] = int(match[1], 16)
    return found
