"""Records of the log, as /dev/kmsg and READ_ALL give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.model import LogRecord
from kmsg_exporter.ring.record import parse_line, parse_record, parse_seq, text_bytes


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        (b"6,1,2,-;\n", 0),
        (b"6,1,2,-;12345678\n", 16),
        (b"6,1,2,-;123456789\n", 24),
        (b"4,1,2,-;disk full\n SUBSYSTEM=block\n DEVICE=b8:0\n", 24),
        (b"6,1,2,-;1\\x0a2\\x5c3\\xff45\n", 16),
    ],
)
def test_a_text_takes_a_long_and_whole_longs_in_the_ring(raw: bytes, size: int) -> None:
    assert text_bytes(raw) == size


@pytest.mark.parametrize(
    ("raw", "record"),
    [
        (b"6,339,5140900,-;NET: Registered\n", LogRecord("NET: Registered", 339, 5140900, 6, 0)),
        (b"30,8,17,-;systemd[1]: x\n", LogRecord("systemd[1]: x", 8, 17, 6, 3)),
        (b"3,7,1,c,caller=T1;a;b,c\n", LogRecord("a;b,c", 7, 1, 3, 0)),
        (b"4,1,2,-;disk full\n SUBSYSTEM=block\n DEVICE=b8:0\n", LogRecord("disk full", 1, 2, 4, 0)),
        (b"6,1,2,-;two\\x0alines \\x5cx41 \\xc3\\xa9 \\xff\n", LogRecord("two\nlines \\x41 é \ufffd", 1, 2, 6, 0)),
        (b"6,18446744073709551615,2,-;\n", LogRecord("", 18446744073709551615, 2, 6, 0)),
    ],
)
def test_record_of_dev_kmsg(raw: bytes, record: LogRecord) -> None:
    assert parse_record(raw) == record
    assert parse_seq(raw) == record.seq


@pytest.mark.parametrize(
    "raw", [b"", b"6,1,2,-", b"6,1,2;x", b"x,1,2,-;x", b"6,1,2,\n;x", b"6," + b"9" * 5000 + b",1,-;x"]
)
def test_other_bytes_are_no_record(raw: bytes) -> None:
    for parse in (parse_record, parse_seq):
        with pytest.raises(DecodeError, match="not a record of /dev/kmsg"):
            parse(raw)


@given(st.binary(max_size=120) | st.from_regex(rb"[0-9]{1,3},[0-9]{1,22},[0-9]{1,22},[^;]*;.*", fullmatch=True))
def test_any_bytes_are_a_record_or_a_decode_error(raw: bytes) -> None:
    try:
        record = parse_record(raw)
    except DecodeError:
        with pytest.raises(DecodeError):
            parse_seq(raw)
        return
    record.text.encode()
    assert record.seq == parse_seq(raw)


def escaped(text: bytes) -> bytes:
    """As the kernel escapes what is not printable ASCII."""
    return b"".join(bytes((one,)) if 32 <= one < 127 and one != 92 else b"\\x%02x" % one for one in text)


@given(st.text())
def test_text_comes_back_as_it_was_printed(text: str) -> None:
    assert parse_record(b"6,1,2,-;" + escaped(text.encode()) + b"\n").text == text


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b"<6>[    1.000002] NET: x", LogRecord("NET: x", None, 1000002, 6, 0)),
        (b"<30>[12345.678901] systemd[1]: y", LogRecord("systemd[1]: y", None, 12345678901, 6, 3)),
        (b"<3>[    1.000002][  T1] z", LogRecord("z", None, 1000002, 3, 0)),
        (b"<4>no time", LogRecord("no time", None, None, 4, 0)),
        (b"[    1.000002] no level", LogRecord("no level")),
        (b"plain \xff", LogRecord("plain \ufffd")),
        (b"", LogRecord("")),
    ],
)
def test_line_of_read_all(line: bytes, record: LogRecord) -> None:
    assert parse_line(line) == record


@given(st.binary(max_size=80) | st.from_regex(rb"<[0-9]{1,12}>\[ *[0-9]{1,12}\.[0-9]{1,8}\].*"))
def test_any_bytes_are_a_line(line: bytes) -> None:
    assert parse_line(line).seq is None
