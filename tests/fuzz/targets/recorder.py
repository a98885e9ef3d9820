"""The flight recorder, pages in and lives out: what is told was recorded, and what is kept is bounded."""

from __future__ import annotations

import gc
import random
from types import FunctionType, ModuleType

import frames
import pages
import past
from target import Target

from kmsg_exporter.tracefs.format import EventFormat
from kmsg_exporter.tracefs.instance import Instance

_HISTORY_BYTES = 1500
_TIDS = (7, 42, 43, -1, pages.REAL_TID)
_ELSEWHERE = (type, FunctionType, ModuleType, EventFormat, Instance)
_MOMENTS = (102, 1 << 64)


def one(data: bytes) -> None:
    given = frames.split(data)
    recorder = past.recorder(given, history_bytes=_HISTORY_BYTES)
    recorded = sum(map(len, given))
    for tid in _TIDS:
        for moment in _MOMENTS:
            life = recorder.life(tid, moment)
            times = [run.time_ns for run in life.execs]
            assert times == sorted(times)
            assert all(time_ns <= moment for time_ns in times)
            assert life.fork is None or life.fork.time_ns <= min([moment, *times])
            assert all(len(run.filename) <= recorded for run in life.execs)
    assert sum(map(len, recorder.console(0, 1 << 64))) <= recorded
    assert recorder.printed(0, 1 << 64) or not recorder.console(0, 1 << 64)
    assert _bytes_in(recorder) <= _HISTORY_BYTES


def _bytes_in(root: object) -> int:
    """How many bytes of pages can be reached from an object."""
    seen: set[int] = set()
    waiting, total = [root], 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, _ELSEWHERE):
            continue
        seen.add(id(one))
        total += len(one) if isinstance(one, bytes) else 0
        waiting += gc.get_referents(one)
    return total


def change(piece: bytes, dice: random.Random) -> bytes:
    return bytes((dice.randrange(4),)) + pages.change(piece[1:], dice)


TARGET = Target(
    one, seeds=(past.SEED, frames.join(past.pieces(*pages.REAL))), mutate=frames.mutator(change), max_bytes=4096
)
