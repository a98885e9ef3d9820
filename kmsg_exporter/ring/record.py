"""One record of /dev/kmsg: `prio,seq,usec,flags[,more];text` and the dictionary lines after it."""

from __future__ import annotations

import re
import struct
from typing import Final

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.model import LogRecord

_HEAD = re.compile(rb"(\d{1,10}),(\d{1,20}),(\d{1,20}),[^;\n]*;")
_ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
_LONG: Final = struct.calcsize("l")


def parse_record(raw: bytes) -> LogRecord:
    """The record that one read of /dev/kmsg returned. Raises DecodeError when it is none.

    The kernel escapes what is not printable ASCII as \\xNN; the text has it back as it was printed, and what is not
    UTF-8 becomes U+FFFD.
    """
    head = _HEAD.match(raw)
    if head is None:
        raise DecodeError(f"not a record of /dev/kmsg: {raw[:60]!r}")
    priority, seq, usec = (int(group) for group in head.groups())
    text = raw[head.end() :].split(b"\n", 1)[0]
    plain = _ESCAPED.sub(lambda match: bytes((int(match[1], 16),)), text)
    return LogRecord(plain.decode("utf-8", "replace"), seq, usec, priority & 7, priority >> 3)


def parse_seq(raw: bytes) -> int:
    """The sequence number alone. Raises DecodeError."""
    head = _HEAD.match(raw)
    if head is None:
        raise DecodeError(f"not a record of /dev/kmsg: {raw[:60]!r}")
    return int(head[2])


def text_bytes(raw: bytes) -> int:
    """How much of the ring the text of one record takes: behind a long, and up to the next multiple of one."""
    begin = raw.find(b";") + 1
    end = raw.find(b"\n", begin)
    length = (len(raw) if end < 0 else end) - begin - 3 * raw.count(b"\\x", begin, end)
    return 0 if not length else -(-(length + _LONG) // _LONG) * _LONG


def parse_line(line: bytes) -> LogRecord:
    """One line as syslog(2) READ_ALL prints it: `<prio>[ secs.usecs] text`. Any bytes are a line."""
    match = re.match(rb"(?:<(\d{1,10})>)?(?:\[ *(\d{1,10})\.(\d{6})\](?:\[[^\]]*\])? )?", line)
    text = line[match.end() if match else 0 :].decode("utf-8", "replace")
    if match is None or match[1] is None:
        return LogRecord(text)
    priority = int(match[1])
    usec = int(match[2]) * 1_000_000 + int(match[3]) if match[2] is not None else None
    return LogRecord(text, None, usec, priority & 7, priority >> 3)
