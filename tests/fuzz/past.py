"""A flight recorder over fuzzed pages: each piece is a CPU's number and a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pages
from frames import join

from kmsg_exporter.process.recorder import CGROUP, CONSOLE, EVENTS, EXEC, FORK, RENAME, FlightRecorder
from kmsg_exporter.tracefs.files import Tracefs
from kmsg_exporter.tracefs.format import EventFormat
from kmsg_exporter.tracefs.instance import Instance
from kmsg_exporter.tracefs.page import Page, decode_page, read_header

FORMATS = {name: pages.event(name) for name in EVENTS}


class GivenPages(Instance):
    """An instance that has recorded what it is given."""

    def __init__(self) -> None:
        super().__init__(Tracefs(Path("/nowhere")), "fuzzed", buffer_size_kb=64, overwrite=True)
        self.given: list[tuple[int, bytes]] = []

    def enable(self, event: str, *, event_filter: str | None = None) -> None:
        pass

    def is_enabled(self, event: str) -> bool:
        return event in FORMATS

    def format(self, event: str) -> EventFormat:
        return FORMATS[event]

    def raw_pages(self, most: int = 1) -> Iterator[tuple[int, bytes]]:  # noqa: ARG002  it has one page
        given, self.given = self.given, []
        yield from given

    def decode(self, raw: bytes) -> Page:
        return decode_page(raw, pages.LAYOUT)

    def header(self, raw: bytes) -> tuple[int, int | None, int]:
        return read_header(raw, pages.LAYOUT)


def recorder(pieces: Sequence[bytes], *, history_bytes: int) -> FlightRecorder:
    """One that has read the pages, each in a reading of its own."""
    instance = GivenPages()
    made = FlightRecorder(instance, history_bytes=history_bytes, boot_ns=lambda: 0)
    made.start()
    for piece in pieces:
        if piece:
            instance.given = [(piece[0] % 4, piece[1:])]
        made.refresh()
    return made


def pieces(*given: bytes, cpu: int = 0) -> Iterable[bytes]:
    return [bytes((cpu,)) + page for page in given]


def fork(parent: int, child: int, *, flags: int = 0, comm: bytes = b"bash", delta: int = 1) -> bytes:
    return pages.one(FORMATS[FORK], parent, delta, pid=child, comm=comm, clone_flags=flags)


def execs(pid: int, filename: bytes, *, delta: int = 1) -> bytes:
    return pages.one(FORMATS[EXEC], pid, delta, pid=pid, old_pid=pid, filename=filename)


def rename(pid: int, comm: bytes, *, delta: int = 1) -> bytes:
    return pages.one(FORMATS[RENAME], pid, delta, pid=pid, newcomm=comm)


def move(pid: int, cgroup: bytes, *, delta: int = 1) -> bytes:
    return pages.one(FORMATS[CGROUP], 1, delta, pid=pid, dst_path=cgroup, comm=b"x")


def printed(line: bytes, *, delta: int = 1) -> bytes:
    return pages.one(FORMATS[CONSOLE], 1, delta, msg=line)


LIVES = (
    *pieces(
        pages.of(fork(7, 42), execs(42, b"/usr/bin/dmesg"), rename(42, b"dmesg"), move(42, b"/kubepods/a")),
        pages.of(fork(1, 7, comm=b"init"), execs(7, b"/opt/cleanup.sh"), printed(b"a line"), time_ns=50),
    ),
    *pieces(pages.of(fork(42, 43, flags=0x10000), fork(43, 7, flags=0x8000), time_ns=200, lost=3), cpu=1),
    *pieces(pages.of(execs(42, b"/proc/self/exe"), execs(42, b"sh"), printed(b"another"), time_ns=300), cpu=1),
)
SEED = join(LIVES)
