"""Calls and looks brought together: which clears took effect, which of them emptied the log, what nobody explains."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from kmsg_exporter.model import CLEARS, Access
from kmsg_exporter.ring.look import Look

_REFUSED: Final = frozenset({-errno.EPERM, -errno.EACCES})

# how many records were printed in (after, until] of CLOCK_BOOTTIME, as the flight recorder saw it
Printed = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one round of calls and a look came to.

    `effective` clears took effect, `denied` ones were refused. `emptied` are those of the effective ones that hid
    something. `unattributed` says that the log was emptied and no call explains it. `jump` is the look that shows
    what was hidden, None when nothing was.
    """

    effective: tuple[Access, ...] = ()
    denied: tuple[Access, ...] = ()
    emptied: tuple[Access, ...] = ()
    unattributed: bool = False
    jump: Look | None = None


class Settler:
    """Remembers what the next round needs: the last clear, and a jump whose clear has not returned yet.

    `started_ns` (CLOCK_BOOTTIME) is when this agent began: of what was before it, it has what was recorded alone. It is
    `doubtful` whose clear an earlier life's was where that life had taken a record of one with it.
    """

    def __init__(self, *, started_ns: int, doubtful: bool = False) -> None:
        self._doubtful = doubtful
        self._started_ns = self._last_clear_ns = started_ns
        self._open_jump: Look | None = None
        self._had_records = False

    def settle(self, calls: Sequence[Access], look: Look, *, printed: Printed, clear_pending: bool) -> Settlement:
        """Settle one round. `calls` are in order of time and were drained after `look` was taken if it jumped."""
        jump = self._joined(look)
        effective, denied = _judged(calls, jumped=jump is not None)
        emptied = () if self._doubtful and jump is not None else self._emptied(effective, jump, printed)
        self._had_records = look.state.empty is False
        if effective:
            self._last_clear_ns = effective[-1].time_ns
        if jump is None or emptied:
            self._open_jump, self._doubtful = None, False
            return Settlement(effective, denied, emptied, jump=jump)
        if clear_pending:  # its return is still to come and will explain the jump
            self._open_jump = jump
            return Settlement(effective, denied)
        self._open_jump, self._doubtful = None, False
        return Settlement(effective, denied, unattributed=True, jump=jump)

    def _joined(self, look: Look) -> Look | None:
        """This look's jump together with one that waits for its clear."""
        waiting = self._open_jump
        if waiting is None:
            return look if look.jumped else None
        return replace(look, jumped=True, first_seq=waiting.first_seq, end_seq=look.end_seq or waiting.end_seq)

    def _emptied(self, effective: Sequence[Access], jump: Look | None, printed: Printed) -> tuple[Access, ...]:
        """Those clears that hid something.

        The first one did if the look before saw records; any did before which a new record was printed. Where the
        printed records are not recorded, a jump is put down to the first. Before the first of an earlier life's clears
        nothing is known but how much was hidden in all: it hid what was not printed after it.
        """
        starts = [self._last_clear_ns, *(call.time_ns for call in effective)]
        hid = [printed(since, call.time_ns) > 0 for since, call in zip(starts, effective, strict=False)]
        if hid and jump is not None and effective[0].time_ns <= self._started_ns:
            hid[0] = _count(jump) > printed(effective[0].time_ns, effective[-1].time_ns)
        if hid and (self._had_records or (jump is not None and not any(hid))):
            hid[0] = True
        return tuple(call for call, did in zip(effective, hid, strict=True) if did)


def _count(jump: Look) -> int:
    """How many records a jump hid, 0 where the log can't be read by number."""
    return 0 if jump.first_seq is None or jump.end_seq is None else jump.end_seq - jump.first_seq


def _judged(calls: Sequence[Access], *, jumped: bool) -> tuple[tuple[Access, ...], tuple[Access, ...]]:
    """(effective, denied) among the calls."""
    clears = [call for call in calls if call.operation == "call" and call.action in CLEARS]
    denied = tuple(call for call in clears if call.result in _REFUSED)
    sure = [call for call in clears if _took_effect(call)]
    if jumped and not sure:
        # a buffer that faults part of the way hides what it had copied; a return that was lost may have been a success
        sure = [call for call in clears if call.result is None or call.result == -errno.EFAULT][:1]
    if jumped and not sure:
        # the function tracer tells no action: with one caller in the window it was that one, with two nobody knows
        callers = [call for call in calls if call.operation == "call" and call.action == "unknown"]
        if callers and len({call.tid for call in callers}) == 1:
            sure = callers[-1:]
    return tuple(sure), denied


def _took_effect(call: Access) -> bool:
    if call.result is None or call.result < 0:
        return False
    # READ_CLEAR with a length of 0 returns 0 at once and clears nothing
    return call.action == "clear" or call.length is None or call.length > 0
