"""An emptying told in full: when, by whom, and what was hidden."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from kmsg_exporter.model import LEVELS, Access, Actor, Emptying, Hidden, LogRecord
from kmsg_exporter.process.recorder import FlightRecorder
from kmsg_exporter.push.sample import choose
from kmsg_exporter.ring.look import Look, Ring
from kmsg_exporter.settle import Settlement


class Storyteller:
    """Tells emptyings. `recorder` gives the lines where the ring can't; `started_ns` is since when it has them."""

    def __init__(
        self,
        ring: Ring,
        recorder: FlightRecorder | None,
        *,
        sample: int | Literal["errors"],
        redact: Sequence[re.Pattern[str]],
        started_ns: int,
    ) -> None:
        self._ring = ring
        self._recorder = recorder
        self._sample = sample
        self._redact = tuple(redact)
        self._told_until_ns = started_ns

    def use(self, recorder: FlightRecorder | None) -> None:
        """Take printed lines from another flight recorder from now on."""
        self._recorder = recorder

    def tell(
        self,
        settlement: Settlement,
        actors: Mapping[Access, Actor],
        *,
        time_unix_ns: int,
        time_ns: int,
        since_unix_ns: int | None,
        expected: bool,
    ) -> Emptying:
        """One event for all emptyings of a round; `time_ns` is CLOCK_BOOTTIME of the last of them."""
        call = settlement.emptied[0] if settlement.emptied else None
        named = [actors[each] for each in settlement.emptied]
        records = self._records(settlement.jump, time_ns)
        hidden = self._hidden(settlement.jump, records)
        self._told_until_ns = time_ns
        if since_unix_ns is not None:
            since_unix_ns = max(since_unix_ns, time_unix_ns - time_ns + min(_printed_after_ns(records), time_ns))
        return Emptying(
            time_unix_ns=time_unix_ns,
            time_boot_ns=time_ns,
            hidden=hidden,
            action=call.action if call is not None else None,
            interface=call.interface if call is not None else None,
            actor=named[0] if named else None,
            expected=expected,
            since_unix_ns=since_unix_ns if call is None else None,
            coalesced=max(1, len(settlement.emptied)),
            actors=tuple(dict.fromkeys(f"{actor.pid} {actor.comm} {actor.exe}" for actor in named))
            if len(named) > 1
            else (),
        )

    def _records(self, jump: Look | None, time_ns: int) -> tuple[LogRecord, ...]:
        records = self._ring.hidden(jump) if jump is not None else ()
        numbered = jump is not None and jump.first_seq is not None and jump.end_seq is not None
        if not numbered and self._recorder is not None:
            printed = self._recorder.console(self._told_until_ns, time_ns)
            records = (*records, *(LogRecord(line) for line in printed))
        return records

    def _hidden(self, jump: Look | None, records: Sequence[LogRecord]) -> Hidden:
        sample, omitted = choose(records, self._sample, self._redact)
        levels = Counter(LEVELS[record.level] for record in records if record.level is not None)
        by_level = {level: levels[level] for level in LEVELS if levels[level]}
        if jump is None or jump.first_seq is None or jump.end_seq is None:
            return Hidden(by_level=by_level, sample=sample, sample_omitted=omitted)
        count = jump.end_seq - jump.first_seq
        return Hidden(count, jump.first_seq, jump.end_seq - 1, by_level, sample, omitted)


def _printed_after_ns(records: Sequence[LogRecord]) -> int:
    """CLOCK_BOOTTIME after which the newest of them was printed, 0 where they have no times: its clear came later.

    printk has a clock of its own, which stands still while the machine is suspended and is not kept right by NTP: it
    lags, or leads by less than a thousandth.
    """
    newest_usec = max((record.time_usec for record in records if record.time_usec is not None), default=0)
    return newest_usec * 999
