"""Event formats: what is read is bounded by the text, and written out again it is read as the same."""

from __future__ import annotations

from contextlib import suppress

from fake_tracefs import FORMATS
from target import Target

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.tracefs.format import Field, parse_fields, parse_format
from kmsg_exporter.tracefs.page import parse_layout

_RECORD = bytes(range(64))


def one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    fields = parse_fields(text)
    for field in fields.values():
        assert 0 <= min(field.offset, field.size) <= max(field.offset, field.size) < 10**9
        with suppress(DecodeError):
            assert -(1 << 511) <= field.integer(_RECORD) < 1 << 512
        with suppress(DecodeError):
            assert field.text(_RECORD) in _RECORD
    assert len(fields) <= text.count("field:")
    assert parse_fields("".join(map(_written, fields.values()))) == fields
    with suppress(DecodeError):
        layout = parse_format(text)
        assert layout.fields == fields
        assert layout.name in text
        assert layout.id >= 0
    with suppress(DecodeError):
        page = parse_layout(text)
        assert min(page.commit_offset, page.commit_size, page.data_offset) >= 0


def _written(field: Field) -> str:
    kinds = {
        "data_loc": "__data_loc char[] {}",
        "rel_loc": "__rel_loc char[] {}",
        "bytes": "char {}[16]",
        "int": "int {}",
    }
    name = kinds[field.kind].format(field.name)
    return f"\tfield:{name};\toffset:{field.offset};\tsize:{field.size};\tsigned:{int(field.signed)};\n"


TARGET = Target(
    one,
    seeds=tuple(
        (FORMATS / name).read_bytes()
        for name in ("header_page", "sched/sched_process_exec", "syscalls/sys_enter_syslog", "raw_syscalls/sys_enter")
    ),
    words=(
        b"\tfield:",
        b"offset:",
        b"size:",
        b"signed:",
        b"__data_loc char[] ",
        b"__rel_loc ",
        b"name: ",
        b"ID: ",
        b":-1",
        b":9999999999",
    ),
)
