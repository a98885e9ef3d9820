"""Trace records made into steps: any bytes are a step or a decode error."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from fake_tracefs import FORMATS, record
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.probes import decoders
from kmsg_exporter.probes.decoders import action_name
from kmsg_exporter.probes.function import read_kallsyms
from kmsg_exporter.probes.pairing import Step
from kmsg_exporter.tracefs.format import parse_format

ENTER = parse_format((FORMATS / "syscalls" / "sys_enter_syslog").read_text())
EXIT = parse_format((FORMATS / "syscalls" / "sys_exit_syslog").read_text())
RAW = parse_format((FORMATS / "raw_syscalls" / "sys_enter").read_text())
BOUND = {
    "enter": decoders.syslog_enter("syslog", action="type", length="len")(ENTER),
    "exit": decoders.leave("syslog", "syslog", "call")(EXIT),
    "raw": decoders.raw_syslog_enter("syslog")(RAW),
    "whole": decoders.whole("dev_kmsg", "read")(EXIT),
}


@pytest.mark.parametrize(
    ("number", "name"),
    [
        *((2, "read"), (3, "read_all"), (4, "read_clear"), (5, "clear"), (6, "console_off"), (7, "console_on")),
        *((8, "console_level"), (11, "unknown"), (-1, "unknown"), (0xDEADBEEF_00000005, "clear")),
    ],
)
def test_action_is_the_lower_half_of_its_register(number: int, name: str) -> None:
    assert action_name(number) == name


def test_entry_of_syslog() -> None:
    raw = record(ENTER, 4242, {"type": 4, "len": 0xFFFFFFFF})
    assert BOUND["enter"](77, raw) == Step(77, 4242, "enter", "syslog", "syslog", "call", "read_clear", length=-1)


def test_entry_of_syslog_by_raw_syscalls() -> None:
    arguments = b"".join(value.to_bytes(8, "little") for value in (0xFFFFFFFF_00000005, 0, 65536))
    raw = record(RAW, 4242, {"id": 103, "args": arguments})
    assert BOUND["raw"](77, raw) == Step(77, 4242, "enter", "syslog", "syslog", "call", "clear", length=65536)


def test_return_of_syslog() -> None:
    raw = record(EXIT, 4242, {"ret": -1})
    assert BOUND["exit"](77, raw) == Step(77, 4242, "exit", "syslog", "syslog", "call", "call", result=-1)


@pytest.mark.parametrize("name", BOUND)
@given(raw=st.binary(max_size=80))
def test_any_bytes_are_a_step_or_a_decode_error(name: str, raw: bytes) -> None:
    with suppress(DecodeError):
        assert BOUND[name](1, raw) is not None


@pytest.mark.parametrize("name", BOUND)
def test_cut_off_record_is_a_decode_error(name: str) -> None:
    with pytest.raises(DecodeError):
        BOUND[name](1, bytes(12))


def test_event_without_the_field_is_a_decode_error() -> None:
    with pytest.raises(DecodeError, match="event sys_exit_syslog has no field type"):
        decoders.syslog_enter("syslog", action="type", length="len")(EXIT)


def test_addresses_are_read_from_kallsyms(tmp_path: Path) -> None:
    (tmp_path / "kallsyms").write_text(
        "ffffffff81000000 T do_syslog\n"
        "ffffffff81001000 T __x64_sys_syslog\n"
        "ffffffffc0203000 t kmsg_read\t[a_module]\n"
        "0000000000000000 T kmsg_open\n"
        "\nffffffff81001000\n-1 T kmsg_open\nffffffff81002000 T "
    )
    assert read_kallsyms({"__x64_sys_syslog", "kmsg_read", "kmsg_open"}, proc=tmp_path) == {
        "__x64_sys_syslog": 0xFFFFFFFF81001000,
        "kmsg_read": 0xFFFFFFFFC0203000,
    }
