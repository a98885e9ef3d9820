"""Records of /dev/kmsg and lines of syslog(2)."""

from __future__ import annotations

from contextlib import suppress

from target import Target

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.model import LogRecord
from kmsg_exporter.push.sample import line
from kmsg_exporter.ring.record import parse_line, parse_record, parse_seq


def one(data: bytes) -> None:
    with suppress(DecodeError):
        record = parse_record(data)
        assert record.seq == parse_seq(data)
        _check(record, data)
        # as READ_ALL would print it, unless it goes over several lines or begins like a caller's id
        if "\n" not in record.text and not record.text.startswith("[") and (record.time_usec or 0) < 10**15:
            again = parse_line(line(record).encode())
            assert (again.text, again.time_usec, again.level) == (record.text, record.time_usec, record.level)
    _check(parse_line(data), data)


def _check(record: LogRecord, data: bytes) -> None:
    assert len(record.text) <= len(data)
    assert record.text.encode().decode() == record.text
    assert record.level is None or 0 <= record.level <= 7
    for number in (record.seq, record.time_usec, record.facility):
        assert number is None or 0 <= number < 10**20


TARGET = Target(
    one,
    seeds=(
        b"6,339,5140900,-;NET: Registered protocol family 10\n SUBSYSTEM=acpi\n DEVICE=+acpi:PNP0A03:00\n",
        b"30,340,5690716,c,caller=T1;udevd[80]: starting \\x1b[1m\\xff version 181\n",
        b"<30>[   12.345678][    T1] systemd[1]: Started",
    ),
    words=(b"\\x", b",-;", b"]", b"<6>[    1.000000] "),
)
