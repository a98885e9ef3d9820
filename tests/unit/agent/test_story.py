"""When an emptying of which nobody saw the call was: between the newest record that it hid, and now."""

from __future__ import annotations

import pytest

from kmsg_exporter.agent.story import Storyteller
from kmsg_exporter.model import LogRecord, RingState
from kmsg_exporter.ring.look import Look
from kmsg_exporter.settle import Settlement

HOUR_NS = 3_600_000_000_000
NOW_NS, NOW_UNIX_NS = 20 * HOUR_NS, 1_795_428_000_000_000_000


class Hiding:
    """A ring of which a clear hides these records."""

    def __init__(self, *records: LogRecord) -> None:
        self._records = records

    def look(self, *, count_records: bool) -> Look:
        raise NotImplementedError

    def hidden(self, look: Look) -> tuple[LogRecord, ...]:
        return self._records if look.jumped else ()

    def resume(self, visible_from: int) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def since_unix_ns(*records: LogRecord, since_ns: int) -> int | None:
    teller = Storyteller(Hiding(*records), None, sample=0, redact=(), started_ns=0)
    jump = Look(RingState(), jumped=True, first_seq=0, end_seq=2)
    return teller.tell(
        Settlement(unattributed=True, jump=jump),
        {},
        time_unix_ns=NOW_UNIX_NS,
        time_ns=NOW_NS,
        since_unix_ns=NOW_UNIX_NS - NOW_NS + since_ns,
        expected=False,
    ).since_unix_ns


@pytest.mark.parametrize(("looked_hours", "expected_hours"), [(0, 19 * 0.999), (18, 19 * 0.999), (19.5, 19.5)])
def test_it_lies_after_the_last_look_and_the_newest_hidden_record(looked_hours: float, expected_hours: float) -> None:
    """printk's clock may lead by less than a thousandth."""
    records = LogRecord("older", time_usec=3_600_000_000), LogRecord("newest", time_usec=19 * 3_600_000_000)
    found = since_unix_ns(*records, since_ns=round(looked_hours * HOUR_NS))
    assert found == NOW_UNIX_NS - NOW_NS + round(expected_hours * HOUR_NS)


def test_without_times_in_the_log_it_lies_after_the_last_look() -> None:
    assert since_unix_ns(LogRecord("no time"), since_ns=HOUR_NS) == NOW_UNIX_NS - 19 * HOUR_NS
