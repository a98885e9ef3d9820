"""Tracing instances: a buffer, events, filters and a tracer of our own, beside everybody else's."""

from __future__ import annotations

import errno
import os
import re
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from kmsg_exporter.errors import FeatureUnavailable, TracefsRejected
from kmsg_exporter.tracefs.files import Tracefs
from kmsg_exporter.tracefs.format import EventFormat, parse_format
from kmsg_exporter.tracefs.page import Page, PageLayout, decode_page, parse_layout, read_header

# A new instance starts with the options of the top level. Those that add records, hook every context switch
# or change a record's layout are put right here, whatever somebody set for himself.
_OPTIONS = (
    ("record-cmd", "0"),
    ("record-tgid", "0"),
    ("stacktrace", "0"),
    ("userstacktrace", "0"),
    ("event-fork", "0"),
    ("function-fork", "0"),
    ("func_stack_trace", "0"),
    ("trace_printk_dest", "0"),
    ("markers", "0"),
    ("pause-on-trace", "0"),
    ("disable_on_free", "0"),
)
_MANY_PAGES = 2048  # more than one of our buffers holds
_STAT = re.compile(r"^([^:\n]+): +(\d{1,20})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class BufferStats:
    """One CPU's buffer: `overrun` records were overwritten, `dropped` ones did not fit, both never read."""

    entries: int
    overrun: int
    commit_overrun: int
    dropped: int

    @property
    def lost(self) -> int:
        return self.overrun + self.commit_overrun + self.dropped


def parse_stats(text: str) -> BufferStats:
    """What a `per_cpu/cpuN/stats` file says."""
    values = {key: int(value) for key, value in _STAT.findall(text)}
    return BufferStats(
        values.get("entries", 0),
        values.get("overrun", 0),
        values.get("commit overrun", 0),
        values.get("dropped events", 0),
    )


class Instance:
    """One instance, made or taken over when entered and removed when left (unless `keep`).

    `buffer_size_kb` is for each CPU; `overwrite` keeps the newest records when the buffer is full, else the oldest.
    """

    def __init__(self, tracefs: Tracefs, name: str, *, buffer_size_kb: int, overwrite: bool) -> None:
        self.tracefs = tracefs
        self.name = name
        self.path = f"instances/{name}"
        self.taken_over = False
        self._buffer_size_kb = buffer_size_kb
        self._overwrite = overwrite
        self._pipes: dict[int, int] = {}
        self._layout: PageLayout | None = None
        self._page_bytes = 4096

    def __enter__(self) -> Self:
        self.taken_over = self.tracefs.exists(self.path)
        self.tracefs.make(self.path)
        try:
            self._layout = parse_layout(self.tracefs.read("events/header_page"))
            self._page_bytes = self._subbuffer_bytes()
            if not self.taken_over:
                self.set_up()
        except BaseException:
            self.close(keep=self.taken_over)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def set_up(self) -> None:
        """Put the buffer's size, clock and options right. What an instance taken over has recorded stays."""
        # writing either empties the buffer, even when it changes nothing
        if self.tracefs.read(f"{self.path}/buffer_size_kb").split()[0] != str(self._buffer_size_kb):
            self.set("buffer_size_kb", str(self._buffer_size_kb))
        if "[boot]" not in self.tracefs.read(f"{self.path}/trace_clock"):
            self.set("trace_clock", "boot")
        for option, value in (*_OPTIONS, ("overwrite", "1" if self._overwrite else "0")):
            if self.tracefs.exists(f"{self.path}/options/{option}"):
                self.set(f"options/{option}", value)
        # wake at the first record: with the default the 73rd wakes the 72 before it
        if self.tracefs.exists(f"{self.path}/buffer_percent"):
            self.set("buffer_percent", "0")
        self.set("tracing_on", "1")

    def enable(self, event: str, *, event_filter: str | None = None) -> None:
        """Switch on `system/event`, with a filter that the kernel applies."""
        folder = f"{self.path}/events/{event}"
        self.tracefs.write(f"{folder}/filter", event_filter or "0", truncate=True)
        self.tracefs.write(f"{folder}/enable", "1", truncate=True)

    def disable(self, event: str) -> None:
        """Switch off `system/event`; one that is gone is fine."""
        if self.tracefs.exists(f"{self.path}/events/{event}/enable"):
            self.tracefs.write(f"{self.path}/events/{event}/enable", "0", truncate=True)

    def is_enabled(self, event: str) -> bool:
        try:
            return self.tracefs.read(f"{self.path}/events/{event}/enable").startswith("1")
        except FeatureUnavailable:
            return False

    def format(self, event: str) -> EventFormat:
        """The record layout of `system/event`."""
        return parse_format(self.tracefs.read(f"{self.path}/events/{event}/format"))

    def set(self, path: str, value: str) -> None:
        """Write one of the instance's own files."""
        self.tracefs.write(f"{self.path}/{path}", value, truncate=True)

    def fds(self) -> list[int]:
        """Descriptors that poll(2) reports readable when records wait, one for each CPU that has a buffer.

        A CPU gets its buffer when it first comes online; until then poll(2) would report an error at once, for ever.
        """
        poll = select.poll()
        for fd in self._opened().values():
            poll.register(fd, select.POLLIN)
        broken = {fd for fd, what in poll.poll(0) if what & select.POLLERR}
        return [fd for fd in self._pipes.values() if fd not in broken]

    def raw_pages(self, most: int = _MANY_PAGES) -> Iterator[tuple[int, bytes]]:
        """(cpu, page) of everything recorded so far, at most so many pages of each CPU; reading consumes it.

        Where records are made faster than they are read, there is no other end.
        """
        for cpu, fd in self._opened().items():
            for _ in range(most):
                try:
                    raw = os.read(fd, self._page_bytes)
                except (BlockingIOError, InterruptedError):
                    break
                except OSError as exc:
                    if exc.errno in (errno.ENODEV, errno.EINVAL, errno.ENOENT):
                        break  # the instance was torn away: its owner notices by `alive`
                    raise
                if not raw:
                    break
                yield cpu, raw

    def pages(self) -> Iterator[tuple[int, Page]]:
        """(cpu, decoded page) of everything recorded so far; reading consumes it. Raises DecodeError."""
        for cpu, raw in self.raw_pages():
            yield cpu, self.decode(raw)

    def decode(self, raw: bytes) -> Page:
        """The records of one page of this instance. Raises DecodeError."""
        return decode_page(raw, self._known_layout())

    def header(self, raw: bytes) -> tuple[int, int | None, int]:
        """(time_ns, lost, data_end) of one page of this instance, without its records. Raises DecodeError."""
        return read_header(raw, self._known_layout())

    def stats(self) -> BufferStats:
        """The buffers of all CPUs, summed."""
        every = [parse_stats(self.tracefs.read(f"{self.path}/per_cpu/cpu{cpu}/stats")) for cpu in self._cpus()]
        return BufferStats(
            sum(one.entries for one in every),
            sum(one.overrun for one in every),
            sum(one.commit_overrun for one in every),
            sum(one.dropped for one in every),
        )

    def alive(self) -> bool:
        return self.tracefs.exists(f"{self.path}/tracing_on")

    def close(self, *, keep: bool = False) -> None:
        """Close the descriptors and remove the instance. It is tried for half a second: an open file gives EBUSY."""
        for fd in self._pipes.values():
            os.close(fd)
        self._pipes = {}
        if not keep:
            remove_instance(self.tracefs, self.name)

    def _subbuffer_bytes(self) -> int:
        path = f"{self.path}/buffer_subbuf_size_kb"  # since 6.8; before that a page of the machine
        return int(self.tracefs.read(path)) * 1024 if self.tracefs.exists(path) else os.sysconf("SC_PAGE_SIZE")

    def _opened(self) -> dict[int, int]:
        """The pipes by CPU, opened at first use: while one is open the kernel refuses another `current_tracer`."""
        if not self._pipes:
            for cpu in self._cpus():
                self._pipes[cpu] = self.tracefs.open(f"{self.path}/per_cpu/cpu{cpu}/trace_pipe_raw")
        return self._pipes

    def _known_layout(self) -> PageLayout:
        if self._layout is None:
            raise FeatureUnavailable(f"instance {self.name} is not open")
        return self._layout

    def _cpus(self) -> list[int]:
        names = self.tracefs.names(f"{self.path}/per_cpu")
        return sorted(int(name[3:]) for name in names if name[3:].isdigit())


def remove_instance(tracefs: Tracefs, name: str) -> None:
    """Stop and remove one instance; one that is gone already is fine. Raises TracefsRejected when it stays busy."""
    path = f"instances/{name}"
    if not tracefs.exists(path):
        return
    if tracefs.exists(f"{path}/current_tracer") and not tracefs.read(f"{path}/current_tracer").startswith("nop"):
        tracefs.write(f"{path}/current_tracer", "nop", truncate=True)
    tracefs.write(f"{path}/events/enable", "0", truncate=True)
    deadline = time.monotonic() + 0.5
    while True:
        try:
            tracefs.remove(path)
        except TracefsRejected as exc:
            if exc.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
