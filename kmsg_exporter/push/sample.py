"""The sample of what was hidden: which records stand in it, and what must not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, Literal

from kmsg_exporter.model import LogRecord

DEFAULT_LIMIT: Final = 50
REDACTED: Final = "[redacted]"
CUT: Final = " [cut]"

_ERR: Final = 3
_MAX_TEXT: Final = 4096  # characters; the kernel's own records end at 1 KiB, or 2 KiB since 6.8
# mm/oom_kill.c: "invoked oom-killer" opens a report, "oom-kill:" (since 5.0) sums it up, the rest name the victim
_OOM: Final = re.compile(
    r"invoked oom-killer|oom-kill:|oom_reaper:|[Oo]ut of memory|Killed process \d+|Tasks in \S* are going to be killed"
)

SampleLimit = int | Literal["errors"]


def is_important(record: LogRecord) -> bool:
    """True for an error or worse, and for a line of an OOM kill whatever its level."""
    return (record.level is not None and record.level <= _ERR) or bool(_OOM.search(record.text, 0, _MAX_TEXT))


def most(limit: SampleLimit) -> int:
    """How many records an event keeps at most."""
    return DEFAULT_LIMIT if limit == "errors" else limit


def pick(records: Sequence[LogRecord], fits: Callable[[LogRecord], bool]) -> tuple[LogRecord, ...]:
    """The records that `fits` says yes to, asked for the important ones first, newest first; given in log order."""
    important = [is_important(record) for record in records]
    order = sorted(range(len(records)), key=lambda index: (important[index], index), reverse=True)
    return tuple(records[index] for index in sorted(index for index in order if fits(records[index])))


def choose(
    records: Sequence[LogRecord], limit: SampleLimit = DEFAULT_LIMIT, redact: Iterable[re.Pattern[str]] = ()
) -> tuple[tuple[LogRecord, ...], int]:
    """What of the hidden `records` (in log order) an event keeps, redacted, and how many it leaves out.

    `limit` is a number of records, 0 for none, or "errors": errors and OOM kills only, DEFAULT_LIMIT of them.
    When not all fit, errors and OOM kills go first, then the newest.
    """
    patterns = tuple(redact)
    left = most(limit)

    def fits(record: LogRecord) -> bool:
        nonlocal left
        if left <= 0 or (limit == "errors" and not is_important(record)):
            return False
        left -= 1
        return True

    chosen = pick(records, fits)
    return tuple(replace(record, text=_redacted(record.text, patterns)) for record in chosen), len(records) - len(
        chosen
    )


def line(record: LogRecord) -> str:
    """The record as a line of the kernel log, in the form `dmesg --raw` prints and `dmesg --file` reads.

    `<6>[   12.345678] text`: in the angle brackets facility * 8 + level, as syslog(2) has it, then seconds since
    boot. What is not known is left out.
    """
    priority = "" if record.level is None else f"<{(record.facility or 0) << 3 | record.level}>"
    if record.time_usec is None:
        return priority + record.text
    return f"{priority}[{record.time_usec // 1_000_000:5d}.{record.time_usec % 1_000_000:06d}] {record.text}"


def _redacted(text: str, patterns: tuple[re.Pattern[str], ...]) -> str:
    """Cut before matching, so that a pattern's cost is bounded; at a blank, so that no half of a secret is left."""
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT].rpartition(" ")[0] + CUT
    for pattern in patterns:
        text = pattern.sub(REDACTED, text)
    return text
