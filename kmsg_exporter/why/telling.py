"""This boot's emptyings; one that a running agent has seen and is about to tell is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_exporter.clock import boot_id
from kmsg_exporter.emptied import Emptied
from kmsg_exporter.tracefs.lock import holder
from kmsg_exporter.why.kmsg import Ring
from kmsg_exporter.why.past import read_past

# An agent tells one emptying a second, and as soon as it starts what happened while none ran: on an emulated machine
# that takes its time. Only an agent that can't store anything lets somebody wait for all of it.
_SECONDS: Final = 30.0
_AGAIN_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Told:
    """`past` is this boot's emptyings, newest first; None when no agent ever kept any. `more` are still to be told."""

    past: Sequence[Emptied] | None
    more: bool = False


def told(
    directory: Path,
    ring: Ring | None,
    proc: Path,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Told:
    """Waits for the clear that hides what the ring has now. Raises what read_past raises, and OSError."""
    this = boot_id(proc)
    ends = monotonic() + _SECONDS
    runs = True
    while True:
        past = read_past(directory, wanted=lambda event: event.text("kmsg.boot_id") == this)
        if past is None or ring is None or not ring.hidden or is_explained(ring, past) or not _counts(past) or not runs:
            return Told(past)
        runs = holder(directory, proc=proc) is not None  # one that has ended has told: it is read once more
        if runs and monotonic() > ends:
            return Told(past, more=True)
        if runs:
            sleep(_AGAIN_SECONDS)


def is_explained(ring: Ring, past: Sequence[Emptied]) -> bool:
    """Whether one of the emptyings, or of those that one stands for, ended where dmesg starts."""
    last_hidden = ring.visible_from - 1
    ranges = ((event.number("kmsg.hidden.first_seq"), event.number("kmsg.hidden.last_seq")) for event in past)
    return any(first <= last_hidden <= last for first, last in ranges if first is not None and last is not None)


def _counts(past: Sequence[Emptied]) -> bool:
    """Whether the agent knows the numbers of records: without /dev/kmsg it can't tell which clear hides them."""
    return not past or any(event.number("kmsg.hidden.last_seq") is not None for event in past)
