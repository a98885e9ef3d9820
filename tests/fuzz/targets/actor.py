"""Naming an actor from damaged pages and a /proc that vanishes: an answer, whatever forked whom, and a bounded one."""

from __future__ import annotations

from contextlib import suppress

import frames
import living
import pages
import past
from target import Target
from vanishing import PROC

from kmsg_exporter.model import SOURCES
from kmsg_exporter.process.actor import Resolver
from targets.recorder import change

_MOMENTS = (150, 1 << 40)


def one(data: bytes) -> None:
    processes, *given = frames.split(data) or [b""]
    resolver = Resolver(past.recorder(given, history_bytes=1 << 20), proc=PROC, command_args=True)
    with living.files(frames.split(processes)), suppress(PermissionError):
        for tid in (42, 43, pages.REAL_TID):
            for moment in _MOMENTS:
                _name(resolver, tid, moment)


def _name(resolver: Resolver, tid: int, moment: int) -> None:
    actor = resolver.actor(tid, moment, None)
    assert actor.tid == tid
    assert actor.source in SOURCES
    assert len(actor.ancestors) <= 16
    assert actor.origin == "" or actor.origin in [process.comm for process in actor.ancestors]
    for text in (actor.comm, actor.exe, actor.origin):
        assert text.encode().decode() == text
    comm, exe = resolver.name(tid, moment, b"a\xff")
    assert (comm, exe) == ("a\ufffd", exe.encode().decode())
    assert resolver.name(tid, moment, b"a\xff") == (comm, exe)


PROCESSES = frames.join((living.FOREVER, *living.process(42, parent=7), *living.process(7)))
GONE = frames.join((living.FOREVER, *living.process(43)[:5]))
CLONE_PARENT = 0x8000

TARGET = Target(
    one,
    seeds=(
        frames.join((PROCESSES, *past.LIVES)),
        frames.join((GONE, *past.LIVES)),
        frames.join((GONE, *past.pieces(*pages.REAL))),
        frames.join((GONE, *past.pieces(pages.of(past.fork(43, 42, flags=CLONE_PARENT), past.fork(7, 43))))),
    ),
    mutate=frames.mutator(
        change, first=lambda piece, dice: frames.mutator(frames.changed)(piece, 2048, dice.getrandbits(32))
    ),
    max_bytes=4096,
)
