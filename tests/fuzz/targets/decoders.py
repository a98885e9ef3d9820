"""Records of the probes, through decoders and pairing: calls come out, in order of time, and loss is counted."""

from __future__ import annotations

import frames
import pages
import past
from fake_kprobe import parse
from target import Target

from kmsg_exporter.model import SYSLOG_ACTIONS
from kmsg_exporter.probes import decoders
from kmsg_exporter.probes.backend import RecordReader
from kmsg_exporter.tracefs.format import EventFormat, parse_format
from kmsg_exporter.tracefs.instance import BufferStats
from targets.recorder import change

_SYMBOLS = ("devkmsg_read", "devkmsg_open", "__x64_sys_syslog")


def _probe(text: str, number: int) -> EventFormat:
    return parse_format(parse(text, symbols=_SYMBOLS, machine="x86_64").format(number))


_ENTER = pages.event("syscalls/sys_enter_syslog")
_EXIT = pages.event("syscalls/sys_exit_syslog")
_RAW = pages.event("raw_syscalls/sys_enter")
_PROBE = _probe("p:g/in __x64_sys_syslog action=+112(%di):s32 len=+96(%di):s32 comm=$comm", 2000)
_OPEN = _probe("p:g/open devkmsg_open comm=$comm", 2001)
_READ = _probe("r256:g/read devkmsg_read ret=$retval:s64 comm=$comm", 2002)
_BOUND = {
    _ENTER.id: decoders.syslog_enter("syslog", action="type", length="len")(_ENTER),
    _EXIT.id: decoders.leave("syslog", "syslog", "call")(_EXIT),
    _RAW.id: decoders.raw_syslog_enter("raw")(_RAW),
    _PROBE.id: decoders.syslog_enter("syslog", action="action", length="len")(_PROBE),
    _OPEN.id: decoders.enter("open", "dev_kmsg", "open")(_OPEN),
    _READ.id: decoders.whole("dev_kmsg", "read")(_READ),
}
_ACTIONS = {*SYSLOG_ACTIONS.values(), "unknown", "call"}


class _Pages(past.GivenPages):
    def stats(self) -> BufferStats:
        return BufferStats(0, 0, 0, 0)


def one(data: bytes) -> None:
    urgent, bulk = _Pages(), _Pages()
    reader = RecordReader(urgent, bulk, boot_ns=lambda: 1 << 40)
    reader.decoders = dict(_BOUND)
    told = lost = begun = 0
    for piece in frames.split(data):
        (bulk if piece[:1] > b"\x7f" else urgent).given = [(0, piece[1:])]
        calls = reader.drain(bulk=True)
        told += len(calls)
        begun += len(piece) // 4  # no record is smaller
        assert told <= begun
        assert [call.time_ns for call in calls] == sorted(call.time_ns for call in calls)
        for call in calls:
            assert call.action in _ACTIONS
            assert call.result is None or -(1 << 63) <= call.result < 1 << 63
            assert call.length is None or -(1 << 31) <= call.length < 1 << 31
            assert call.comm is None or b"\0" not in call.comm
        assert reader.lost_events() >= lost
        lost = reader.lost_events()
    assert lost + sum(reader.seen.values()) <= begun + len(frames.split(data))
    reader.clear_pending()


def _call(tid: int, action: int, result: int | None) -> bytes:
    parts = [pages.one(_PROBE, tid, action=action, len=16, comm=b"dmesg")]
    return b"".join([*parts, *([] if result is None else [pages.one(_EXIT, tid, ret=result)])])


TARGET = Target(
    one,
    seeds=(
        frames.join(past.pieces(*pages.REAL)),
        frames.join(past.pieces(pages.of(_call(42, 5, 0), _call(43, 4, -1), _call(7, 5, None)))),
        frames.join(
            past.pieces(pages.of(pages.one(_ENTER, 42, type=3, len=0xFFFFFFFF)), pages.of(pages.one(_EXIT, 42, ret=9)))
        ),
        frames.join(past.pieces(pages.of(pages.one(_RAW, 42, id=103, args=bytes((5,)) + bytes(47))))),
        frames.join(
            past.pieces(
                pages.of(pages.one(_OPEN, 7, comm=b"a\xff"), pages.one(_READ, 7, ret=-11, comm=b"cat")), cpu=200
            )
        ),
    ),
    mutate=frames.mutator(change),
    max_bytes=4096,
)
