"""A tracefs in memory that behaves: it parses commands, refuses what a kernel refuses and records what is called.

What it does was seen on 5.10, 6.1 and a restricted 6.18 kernel: tests/tracefs/test_behaviour.py holds it to them.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import re
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from event_filter import FilterError, Predicate, parse_filter
from fake_hist import FakeHist, write_trigger
from fake_kprobe import Definition, Refused, Registers, parse

from kmsg_exporter.tracefs.files import Tracefs
from kmsg_exporter.tracefs.format import EventFormat, parse_format

FORMATS = Path(__file__).parent / "formats"
PAGE_BYTES = 4096
PAGE_HEADER_BYTES = 16
FILES = ("devkmsg_open", "devkmsg_read", "devkmsg_release", "devkmsg_write", "kmsg_open", "kmsg_read", "kmsg_release")
X86_SYMBOLS = ("__x64_sys_syslog", "__ia32_sys_syslog", *FILES, "memory_open", "do_syslog")
ARM64_SYMBOLS = ("__arm64_sys_syslog", *FILES, "memory_open", "do_syslog")
OLD_SYMBOLS = ("SyS_syslog", *FILES, "memory_open", "do_syslog")

# --- pages as trace_pipe_raw hands them out -------------------------------------------------------------------------


def _head(kind: int, delta: int) -> bytes:
    return (kind | delta << 5).to_bytes(4, "little")


def data(delta: int, payload: bytes) -> bytes:
    """A record with its length in the header where that can be, else in a word of its own."""
    if len(payload) % 4 or not 4 <= len(payload) <= 112:
        return long_data(delta, payload)
    return _head(len(payload) // 4, delta) + payload


def long_data(delta: int, payload: bytes) -> bytes:
    """A record with its length, which counts the word that holds it, in a word of its own."""
    padded = payload + bytes(-len(payload) % 4)
    return _head(0, delta) + (len(payload) + 4).to_bytes(4, "little") + padded


def discarded(delta: int, payload_bytes: int) -> bytes:
    """A record that its writer took back: `payload_bytes` is a multiple of 4, `delta` is not 0."""
    return _head(29, delta) + (payload_bytes + 4).to_bytes(4, "little") + bytes(payload_bytes)


def page_end() -> bytes:
    """Padding that says that nothing more is on this page."""
    return _head(29, 0)


def time_extend(delta: int) -> bytes:
    return _head(30, delta & (1 << 27) - 1) + (delta >> 27).to_bytes(4, "little")


def time_stamp(time_ns: int) -> bytes:
    """An absolute time stamp: its lowest 59 bits are kept."""
    kept = time_ns & (1 << 59) - 1
    return _head(31, kept & (1 << 27) - 1) + (kept >> 27).to_bytes(4, "little")


def page(time_ns: int, *parts: bytes, lost: int | None = 0) -> bytes:
    """A page that holds `parts`. `lost` is what was dropped before it: None for "some, but not how many"."""
    body = b"".join(parts)
    flags, stored = 0, b""
    if lost != 0:
        flags = 1 << 31
        if lost is not None:
            flags |= 1 << 30
            stored = lost.to_bytes(8, "little")
    head = time_ns.to_bytes(8, "little") + (len(body) | flags).to_bytes(8, "little")
    return (head + body + stored).ljust(PAGE_BYTES, b"\0")


def record(layout: EventFormat, tid: int, values: Mapping[str, int | bytes]) -> bytes:
    """One trace record by its event's format; fields that are not named are 0 or empty."""
    fixed = max(one.offset + one.size for one in layout.fields.values())
    raw = bytearray(fixed)
    tail = b""
    for name, one in layout.fields.items():
        value = {"common_type": layout.id, "common_pid": tid, **values}.get(name, 0)
        if one.kind == "data_loc":
            text = (value if isinstance(value, bytes) else b"") + b"\0"
            value = len(text) << 16 | fixed + len(tail)
            tail += text
        if isinstance(value, bytes) and one.size == 0:  # an array without a length is the record's last field
            tail += value + b"\0"
        elif isinstance(value, bytes):
            raw[one.offset : one.offset + one.size] = value[: one.size].ljust(one.size, b"\0")
        else:
            raw[one.offset : one.offset + one.size] = (value & (1 << 8 * one.size) - 1).to_bytes(one.size, "little")
    return bytes(raw) + tail


# --- the kernel ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kernel:
    """What a kernel has. `function_filter` is False where its files answer EPERM; `empty` is lockdown."""

    machine: str = "x86_64"
    cpus: int = 2
    kprobes: bool = True
    function_tracer: bool = True
    function_filter: bool = True
    instances: bool = True
    empty: bool = False
    symbols: tuple[str, ...] = X86_SYMBOLS
    formats: Mapping[str, str] = field(default_factory=dict)
    without_events: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    f_flags_offset: int | None = 64
    hist: bool = True
    ticks: bool = True


RESTRICTED = Kernel(kprobes=False, function_filter=False, hist=False)
WITHOUT_HIST = Kernel(hist=False)


class _Buffer:
    """One CPU's ring buffer: a pipe that keeps pages apart, so that what reads it has a real descriptor."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC | os.O_DIRECT)
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 64 * PAGE_BYTES)
        self.overrun = 0
        self.dropped = 0
        self._given: list[int] = []

    def write(self, raw: bytes) -> bool:
        try:
            os.write(self.writer, raw)
        except BlockingIOError:
            return False
        return True

    def take(self) -> list[bytes]:
        """Everything that was not read yet."""
        pages = []
        with suppress(BlockingIOError):
            while True:
                pages.append(os.read(self.reader, PAGE_BYTES))
        return pages

    def give(self) -> int:
        self._given.append(os.dup(self.reader))
        return self._given[-1]

    def in_use(self) -> bool:
        own = os.fstat(self.reader).st_ino
        for fd in self._given:
            with suppress(OSError):
                if os.fstat(fd).st_ino == own:
                    return True
        return False

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


_CLOCKS = ("local", "global", "counter", "uptime", "perf", "mono", "mono_raw", "boot", "tai", "x86-tsc")
_OPTIONS = {
    **dict.fromkeys(("overwrite", "markers", "irq-info", "record-cmd"), "1"),
    **dict.fromkeys(("stacktrace", "userstacktrace", "record-tgid", "event-fork", "function-fork"), "0"),
    **dict.fromkeys(("func_stack_trace", "trace_printk_dest", "pause-on-trace", "disable_on_free"), "0"),
}


class _Array:
    """The state of the top level or of one instance."""

    def __init__(self, cpus: int, options: Mapping[str, str]) -> None:
        self.options = dict(options)
        self.buffers = [_Buffer() for _ in range(cpus)]
        self.values = {"buffer_size_kb": "1410", "buffer_percent": "50", "tracing_on": "1", "current_tracer": "nop"}
        self.clock = "local"
        self.functions: list[str] = []
        self.notrace_pids: list[int] = []
        self.enabled: set[str] = set()
        self.ever_enabled: set[str] = set()
        self.filters: dict[str, tuple[str, Predicate]] = {}
        self.errors: list[str] = []
        self.hists: dict[str, list[FakeHist]] = {}

    def reset(self) -> None:
        for buffer in self.buffers:
            buffer.take()

    def close(self) -> None:
        for buffer in self.buffers:
            buffer.close()


Read = Callable[[], str]
Write = Callable[[str, bool], None]


class FakeTracefs(Tracefs):
    """The tracing files of one kernel. `call`, `syslog` and `emit` make that kernel do something worth tracing."""

    def __init__(self, kernel: Kernel | None = None, *, root: Path = Path("/fake/tracing")) -> None:
        super().__init__(root)
        self.kernel = kernel or Kernel()
        self._top = _Array(self.kernel.cpus, _OPTIONS | dict(self.kernel.options))
        self._instances: dict[str, _Array] = {}
        self._formats = {
            f"{path.parent.name}/{path.name}": path.read_text()
            for path in FORMATS.glob("*/*")
            if f"{path.parent.name}/{path.name}" not in self.kernel.without_events
        } | dict(self.kernel.formats)
        self._probes: dict[str, Definition] = {}
        self._numbers: dict[str, int] = {}
        self._hits: dict[str, list[int]] = {}
        self.ticks = 0
        _watch_opens(self)

    # what the code under test does

    def read(self, path: str) -> str:
        with self._translated(path, None):
            reader = self._file(path)[0]
            if reader is None:
                raise OSError(errno.EINVAL, "")
            return reader()

    def read_bytes(self, path: str) -> bytes:
        return self.read(path).encode("utf-8", "surrogateescape")

    def lines(self, path: str) -> Iterator[str]:
        yield from self.read(path).splitlines(keepends=True)

    def write(self, path: str, command: str, *, truncate: bool = False) -> None:
        with self._translated(path, command):
            writer = self._file(path)[1]
            if writer is None:
                raise OSError(errno.EINVAL, "")
            writer(command, truncate)

    def exists(self, path: str) -> bool:
        return path == "." or path in self._files() or bool(self.names(path)) or path in self._folders()

    def names(self, path: str) -> list[str]:
        inside = "" if path == "." else f"{path}/"
        paths = (*self._files(), *self._folders())
        return sorted({one[len(inside) :].split("/")[0] for one in paths if one.startswith(inside)})

    def make(self, path: str) -> None:
        with self._translated(path, "mkdir"):
            folder, _, name = path.partition("/")
            if self.kernel.empty or not self.kernel.instances or folder != "instances" or "/" in name:
                raise OSError(errno.EACCES, "")
            if name not in self._instances:
                self._instances[name] = _Array(self.kernel.cpus, self._top.options)

    def remove(self, path: str) -> None:
        with self._translated(path, "rmdir"):
            array = self._instances.get(path.removeprefix("instances/"))
            if array is None:
                return
            if any(buffer.in_use() for buffer in array.buffers):
                raise OSError(errno.EBUSY, "")
            del self._instances[path.removeprefix("instances/")]
            array.close()

    def open(self, path: str) -> int:
        with self._translated(path, "open"):
            self._file(path)
            array, rest = self._array(path)
            match = re.fullmatch(r"per_cpu/cpu(\d+)/trace_pipe_raw", rest)
            if match is None:
                raise OSError(errno.EINVAL, "")
            return array.buffers[int(match[1])].give()

    # what a test does

    def close(self) -> None:
        """Give up every descriptor of the fake's own."""
        _WATCHING.discard(self)
        for array in self._arrays():
            array.close()
        self._instances.clear()

    def emit(
        self,
        event: str,
        values: Mapping[str, int | bytes],
        *,
        tid: int = 1,
        time_ns: int | None = None,
        cpu: int = 0,
    ) -> None:
        """Let one event of the kernel's own happen; `tid` is the thread that it happens in."""
        for array in self._arrays():
            if event in array.enabled:
                self._record(array, event, tid, time_ns, cpu, values)

    def put(self, instance: str, cpu: int, raw: bytes) -> None:
        """Put a page into an instance's buffer as it is."""
        assert self._instances[instance].buffers[cpu].write(raw)

    def instance(self, name: str) -> _Array:
        """The state of one instance."""
        return self._instances[name]

    def lose(self, instance: str, *, cpu: int = 0, overrun: int = 0, dropped: int = 0) -> None:
        """Count records that a buffer had no room for."""
        buffer = self._instances[instance].buffers[cpu]
        buffer.overrun += overrun
        buffer.dropped += dropped

    def miss(self, event: str, count: int = 1) -> None:
        """Count calls that a probe could not follow."""
        self._hits[event][1] += count

    def enter(
        self,
        symbol: str,
        *,
        tid: int,
        comm: bytes = b"",
        registers: Registers | None = None,
        cpu: int = 0,
        time_ns: int | None = None,
    ) -> None:
        """Let a thread run into a function."""
        for array in self._arrays():
            if self._is_traced(array, symbol, tid):
                values = {"ip": self.address(symbol) + 4, "parent_ip": 0}
                self._record(array, "ftrace/function", tid, time_ns, cpu, values)
        self._run_probes(symbol, tid, comm, registers or {}, 0, cpu, time_ns, returns=False)

    def leave(
        self, symbol: str, *, tid: int, ret: int, comm: bytes = b"", cpu: int = 0, time_ns: int | None = None
    ) -> None:
        """Let it return."""
        self._run_probes(symbol, tid, comm, {}, ret, cpu, time_ns, returns=True)

    def call(self, symbol: str, *, tid: int, comm: bytes = b"", ret: int = 0, flags: int = 0) -> None:
        """A whole call of a function; `flags` are the f_flags of the file that is its second argument."""
        second = "si" if self.kernel.machine == "x86_64" else "x1"
        self.enter(symbol, tid=tid, comm=comm, registers={second: self._struct_file(flags)})
        self.leave(symbol, tid=tid, ret=ret, comm=comm)

    def syslog(
        self, action: int, *, tid: int, comm: bytes = b"", length: int = 0, ret: int | None = 0, compat: bool = False
    ) -> None:
        """A call of syslog(2); with `ret` None it has not come back yet. `compat` is the 32-bit ABI."""
        symbol = next(name for name in self.kernel.symbols if name.lower().endswith("sys_syslog"))
        arguments = b"".join(value.to_bytes(8, "little") for value in (action, 0, length, 0, 0, 0))
        if compat and self.kernel.machine == "x86_64":
            symbol = "__ia32_sys_syslog"
        if not compat:
            self.emit("syscalls/sys_enter_syslog", {"type": action, "len": length}, tid=tid)
        self.emit("raw_syscalls/sys_enter", {"id": 103, "args": arguments}, tid=tid)
        if symbol in self.kernel.symbols:
            self.enter(symbol, tid=tid, comm=comm, registers=_arguments(symbol, action, length))
        if ret is None:
            return
        if symbol in self.kernel.symbols:
            self.leave(symbol, tid=tid, ret=ret, comm=comm)
        self.emit("raw_syscalls/sys_exit", {"id": 103, "ret": ret}, tid=tid)
        if not compat:
            self.emit("syscalls/sys_exit_syslog", {"ret": ret}, tid=tid)

    def address(self, symbol: str) -> int:
        return 0xFFFFFFFF81000000 + 0x1000 * self.kernel.symbols.index(symbol)

    def kallsyms(self) -> str:
        return "".join(f"{self.address(name):016x} T {name}\n" for name in self.kernel.symbols)

    def opened(self, flags: int) -> None:
        """This thread opens /dev/null."""
        seen_by_kernel = (flags & ~os.O_CLOEXEC) | 0o100000  # O_LARGEFILE
        if "memory_open" in self.kernel.symbols:
            self.call("memory_open", tid=threading.get_native_id(), flags=seen_by_kernel)

    # files

    def _arrays(self) -> tuple[_Array, ...]:
        return (self._top, *self._instances.values())

    def _array(self, path: str) -> tuple[_Array, str]:
        parts = path.split("/", 2)
        if parts[0] == "instances" and len(parts) == 3:
            return self._instances[parts[1]], parts[2]
        return self._top, path

    def _file(self, path: str) -> tuple[Read | None, Write | None]:
        try:
            return self._files()[path]
        except KeyError:
            raise OSError(errno.ENOENT, "") from None

    def _folders(self) -> tuple[str, ...]:
        return () if self.kernel.empty else ("instances", *(f"instances/{name}" for name in self._instances))

    @contextmanager
    def _translated(self, path: str, command: str | None) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise self._refused(path, command, exc) from exc

    def _files(self) -> dict[str, tuple[Read | None, Write | None]]:
        if self.kernel.empty:
            return {}
        files = self._array_files(self._top)
        for name, array in self._instances.items():
            files |= {f"instances/{name}/{path}": file for path, file in self._array_files(array).items()}
        files["events/header_page"] = ((FORMATS / "header_page").read_text, None)
        if self.kernel.kprobes:
            files["kprobe_events"] = (self._list_probes, self._kprobe_command)
            files["kprobe_profile"] = (self._profile, None)
        if self.kernel.function_tracer:
            files["available_filter_functions"] = (self._available, None)
            files["enabled_functions"] = (self._enabled_functions, None)
        return files

    def _array_files(self, array: _Array) -> dict[str, tuple[Read | None, Write | None]]:
        tracers = "function nop\n" if self.kernel.function_tracer else "nop\n"
        files: dict[str, tuple[Read | None, Write | None]] = {
            "available_tracers": (lambda: tracers, None),
            "error_log": (lambda: "".join(array.errors), None),
            "trace_clock": (
                lambda: " ".join(f"[{name}]" if name == array.clock else name for name in _CLOCKS) + "\n",
                lambda text, _: self._set_clock(array, text),
            ),
            "trace_marker": (None, lambda text, _: self._mark(array, text)),
            "events/enable": (lambda: self._enabled(array, ""), lambda text, _: self._enable(array, "", text)),
        }
        for name in array.values:
            files[name] = (lambda name=name: f"{array.values[name]}\n", self._value_writer(array, name))  # type: ignore[misc]
        for name in array.options:
            files[f"options/{name}"] = (lambda name=name: f"{array.options[name]}\n", self._option_writer(array, name))  # type: ignore[misc]
        for cpu, buffer in enumerate(array.buffers):
            files[f"per_cpu/cpu{cpu}/stats"] = (lambda buffer=buffer: _stats(buffer), None)  # type: ignore[misc]
            files[f"per_cpu/cpu{cpu}/trace_pipe_raw"] = (None, None)
        if self.kernel.function_tracer:
            files["set_ftrace_filter"] = (
                lambda: self._filter_text(array),
                lambda text, truncate: self._set_functions(array, text, truncate),
            )
            files["set_ftrace_notrace_pid"] = (
                lambda: "".join(f"{pid}\n" for pid in array.notrace_pids) or "no pid\n",
                lambda text, truncate: self._set_notrace(array, text, truncate),
            )
        for event in self._events():
            files |= self._event_files(array, event)
        return files

    def _event_files(self, array: _Array, event: str) -> dict[str, tuple[Read | None, Write | None]]:
        system, folder = event.partition("/")[0], f"events/{event}"
        files: dict[str, tuple[Read | None, Write | None]] = {f"{folder}/format": (lambda: self._format(event), None)}
        if system == "ftrace":
            return files
        files[f"events/{system}/enable"] = (
            lambda: self._enabled(array, f"{system}/"),
            lambda text, _: self._enable(array, f"{system}/", text),
        )
        if self.kernel.hist:
            hists = array.hists.setdefault(event, [])
            files[f"{folder}/hist"] = (
                lambda: b"\n\n".join(hist.show() for hist in hists).decode("utf-8", "surrogateescape"),
                None,
            )
            files[f"{folder}/trigger"] = (
                lambda: "".join(f"{hist.text} [active]\n" for hist in hists),
                lambda text, _: write_trigger(hists, text, parse_format(self._format(event)).fields),
            )
        files[f"{folder}/enable"] = (
            lambda: f"{int(event in array.enabled)}{'*' if array.hists.get(event) else ''}\n",
            lambda text, _: self._enable(array, event, text),
        )
        files[f"{folder}/filter"] = (
            lambda: array.filters[event][0] + "\n" if event in array.filters else "none\n",
            lambda text, _: self._set_filter(array, event, text),
        )
        return files

    def _events(self) -> tuple[str, ...]:
        return (*self._formats, *self._probes)

    def _format(self, event: str) -> str:
        if event in self._probes:
            return self._probes[event].format(self._numbers[event])
        return self._formats[event]

    def _value_writer(self, array: _Array, name: str) -> Write:
        def write(text: str, _truncate: bool) -> None:
            value = text.strip()
            if name == "current_tracer":
                if value not in ("nop", *(("function",) if self.kernel.function_tracer else ())):
                    raise OSError(errno.EINVAL, "")
                if value != array.values[name] and any(buffer.in_use() for buffer in array.buffers):
                    raise OSError(errno.EBUSY, "")
                if value == "nop":
                    array.reset()
            elif not value.isdecimal() or (name == "buffer_size_kb" and value == "0"):
                raise OSError(errno.EINVAL, "")
            if name == "buffer_size_kb":
                array.reset()
                whole_pages = -(-int(value) * 1024 // 4080) * 4080
                value = str(whole_pages // 1024)
            array.values[name] = value

        return write

    def _option_writer(self, array: _Array, name: str) -> Write:
        def write(text: str, _truncate: bool) -> None:
            if text.strip() not in ("0", "1"):
                raise OSError(errno.EINVAL, "")
            array.options[name] = text.strip()

        return write

    def _set_clock(self, array: _Array, text: str) -> None:
        if text.strip() not in _CLOCKS:
            raise OSError(errno.EINVAL, "")
        array.clock = text.strip()
        array.reset()

    def _mark(self, array: _Array, text: str) -> None:
        if array.values["tracing_on"] != "1":
            raise OSError(errno.EBADF, "")
        if array.options["markers"] != "1":
            raise OSError(errno.EINVAL, "")
        line = text if text.endswith("\n") else f"{text}\n"
        self._record(array, "ftrace/print", threading.get_native_id(), None, 0, {"buf": line.encode()})

    # events

    def _enabled(self, array: _Array, prefix: str) -> str:
        events = [one for one in self._events() if one.startswith(prefix) and not one.startswith("ftrace/")]
        on = sum(one in array.enabled for one in events)
        return "0\n" if on == 0 else "1\n" if on == len(events) else "X\n"

    def _enable(self, array: _Array, prefix: str, text: str) -> None:
        events = {one for one in self._events() if one.startswith(prefix) and not one.startswith("ftrace/")}
        if prefix in self._events():
            events = {prefix}
        match text.strip():
            case "1":
                array.enabled |= events
                array.ever_enabled |= events
            case "0":
                array.enabled -= events
            case _:
                raise OSError(errno.EINVAL, "")

    def _set_filter(self, array: _Array, event: str, text: str) -> None:
        if text.strip() == "0":
            array.filters.pop(event, None)
            return
        try:
            predicate = parse_filter(text, parse_format(self._format(event)).fields)
        except FilterError as exc:
            array.errors.append(_error("event filter parse error", str(exc), text))
            raise OSError(errno.EINVAL, "") from exc
        array.filters[event] = (text.strip(), predicate)

    def _kprobe_command(self, command: str, truncate: bool) -> None:
        if truncate:
            for event in self._probes:
                self._check_idle(event)
            for event in list(self._probes):
                self._undefine(event)
        for line in command.splitlines():
            if line.startswith("-:"):
                event = line[2:]
                if event not in self._probes:
                    raise OSError(errno.ENOENT, "")
                self._check_idle(event)
                self._undefine(event)
            elif line:
                self._define(line)

    def _define(self, line: str) -> None:
        try:
            symbols = (*self.kernel.symbols, *(("jiffies_64",) if self.kernel.ticks else ()))
            probe = parse(line, symbols=symbols, machine=self.kernel.machine)
            if probe.event in self._probes:
                raise Refused(errno.EEXIST, "There is already the exact same probe event")
        except Refused as exc:
            self._top.errors.append(_error("trace_kprobe", str(exc), line))
            raise OSError(exc.number, "") from exc
        self._probes[probe.event] = probe
        # the newest kernels give a number again at once, older ones after 65535
        taken = {self._numbers[event] for event in self._probes if event != probe.event}
        self._numbers[probe.event] = next(number for number in itertools.count(2000) if number not in taken)
        self._hits[probe.event] = [0, 0]

    def _check_idle(self, event: str) -> None:
        if any(event in array.enabled or array.hists.get(event) for array in self._arrays()):
            raise OSError(errno.EBUSY, "")

    def _undefine(self, event: str) -> None:
        del self._probes[event], self._hits[event]
        for array in self._arrays():
            array.filters.pop(event, None)
            array.hists.pop(event, None)
            if event in array.ever_enabled:  # its records could be taken for those of the next event of this number
                array.ever_enabled.discard(event)
                array.reset()

    def _list_probes(self) -> str:
        return "".join(f"{probe.text}\n" for probe in self._probes.values())

    def _profile(self) -> str:
        return "".join(
            f"  {event.partition('/')[2]:<44} {hits:>15} {missed:>15}\n" for event, (hits, missed) in self._hits.items()
        )

    def _run_probes(
        self,
        symbol: str,
        tid: int,
        comm: bytes,
        registers: Registers,
        result: int,
        cpu: int,
        time_ns: int | None,
        *,
        returns: bool,
    ) -> None:
        for event, probe in self._probes.items():
            if probe.symbol != symbol or probe.returns != returns:
                continue
            arrays = [array for array in self._arrays() if event in array.enabled or array.hists.get(event)]
            self._hits[event][0] += bool(arrays)
            values = probe.values(comm, {**registers, "@jiffies_64": self.ticks}, result)
            for array in arrays:
                for hist in array.hists.get(event, ()):
                    hist.count({"common_pid": tid, **values})
                if event in array.enabled:
                    self._record(array, event, tid, time_ns, cpu, values)

    # the function tracer

    def _available(self) -> str:
        self._check_function_filter()
        return "".join(f"{name}\n" for name in self.kernel.symbols)

    def _filter_text(self, array: _Array) -> str:
        self._check_function_filter()
        return "".join(f"{name}\n" for name in array.functions) or "#### all functions enabled ####\n"

    def _set_functions(self, array: _Array, text: str, truncate: bool) -> None:
        self._check_function_filter()
        if truncate:
            array.functions = []
        for name in text.split():
            if name in self.kernel.symbols and name not in array.functions:
                array.functions.append(name)
            elif name not in self.kernel.symbols and text.endswith("\n"):
                raise OSError(errno.EINVAL, "")  # without its end of line a name is looked at when nobody listens

    def _set_notrace(self, array: _Array, text: str, truncate: bool) -> None:
        array.notrace_pids = [*([] if truncate else array.notrace_pids), *map(int, text.split())]

    def _enabled_functions(self) -> str:
        probed = {self._probes[event].symbol for array in self._arrays() for event in array.enabled & set(self._probes)}
        traced = {name for name in self.kernel.symbols for array in self._arrays() if self._is_traced(array, name, -1)}
        return "".join(f"{name} (1) \ttramp: 0xffffffffc0203000\n" for name in sorted(probed | traced))

    def _is_traced(self, array: _Array, symbol: str, tid: int) -> bool:
        if array.values["current_tracer"] != "function" or tid in array.notrace_pids:
            return False
        return not array.functions or symbol in array.functions

    def _check_function_filter(self) -> None:
        if not self.kernel.function_filter:
            raise OSError(errno.EPERM, "")

    # records

    def _record(
        self,
        array: _Array,
        event: str,
        tid: int,
        time_ns: int | None,
        cpu: int,
        values: Mapping[str, int | bytes],
    ) -> None:
        known = array.filters.get(event)
        if array.values["tracing_on"] != "1" or (known and not known[1]({"common_pid": tid, **values})):
            return
        raw = record(parse_format(self._format(event)), tid, values)
        when = time.clock_gettime_ns(time.CLOCK_BOOTTIME) if time_ns is None else time_ns
        buffer = array.buffers[cpu]
        if buffer.write(page(when, data(0, raw))):
            return
        if array.options["overwrite"] != "1":
            buffer.dropped += 1
            return
        pages = buffer.take()[1:]
        buffer.overrun += 1
        pages[0] = _with_loss(pages[0])
        for one in (*pages, page(when, data(0, raw))):
            buffer.write(one)

    def _struct_file(self, flags: int) -> bytes:
        offset = self.kernel.f_flags_offset
        memory = bytearray(os.urandom(256))
        if offset is not None:
            memory[offset : offset + 4] = flags.to_bytes(4, "little")
        return bytes(memory)


def _with_loss(raw: bytes) -> bytes:
    """A page before which something was overwritten."""
    commit = int.from_bytes(raw[8:16], "little") | 1 << 31
    return raw[:8] + commit.to_bytes(8, "little") + raw[16:]


def _arguments(symbol: str, action: int, length: int) -> Registers:
    """The registers at the entry of syslog(2): most kernels pass one struct pt_regs, the oldest the arguments."""
    if not symbol.startswith("__"):
        return {"di": action, "dx": length, "x0": action, "x2": length}
    places = {"__x64_sys_syslog": (112, 96), "__ia32_sys_syslog": (40, 96)}.get(symbol, (0, 16))
    memory = bytearray(os.urandom(168))
    for place, value in zip(places, (action, length), strict=True):
        memory[place : place + 8] = value.to_bytes(8, "little")
    return {"di": bytes(memory), "x0": bytes(memory)}


def _stats(buffer: _Buffer) -> str:
    return (
        f"entries: 0\noverrun: {buffer.overrun}\ncommit overrun: 0\nbytes: 0\noldest event ts:     0.000000\n"
        f"now ts:  2453.009878\ndropped events: {buffer.dropped}\nread events: 0\n"
    )


def _error(system: str, reason: str, command: str) -> str:
    return f"[    6.049222] {system}: error: {reason}\n  Command: {command}\n           ^\n"


# --- what the process opens ------------------------------------------------------------------------------------------

_WATCHING: weakref.WeakSet[FakeTracefs] = weakref.WeakSet()
_hooked: list[bool] = []


def _watch_opens(fake: FakeTracefs) -> None:
    """Tell the fake kernel of each open of /dev/null, as the real one knows of it. An audit hook can't be removed."""
    _WATCHING.add(fake)
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_audit)


def _audit(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and str(args[0]) == "/dev/null" and isinstance(args[2], int):
        for fake in list(_WATCHING):
            fake.opened(args[2])
