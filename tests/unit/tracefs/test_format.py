"""Event formats: real ones, and what is read from records by them."""

from __future__ import annotations

from contextlib import suppress

import pytest
from fake_tracefs import FORMATS, record
from hypothesis import example, given
from hypothesis import strategies as st

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.tracefs.format import EventFormat, Field, Kind, parse_fields, parse_format

KPROBE = """\
name: e
ID: 1338
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:unsigned long __probe_ip;	offset:8;	size:8;	signed:0;
	field:s32 action;	offset:16;	size:4;	signed:1;
	field:s32 len;	offset:20;	size:4;	signed:1;
	field:__data_loc char[] comm;	offset:24;	size:4;	signed:1;

print fmt: "(%lx) action=%d len=%d comm=\\"%s\\"", REC->__probe_ip, REC->action, REC->len, __get_str(comm)
"""
KRETPROBE = """\
name: r
ID: 1340
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:unsigned long __probe_func;	offset:8;	size:8;	signed:0;
	field:unsigned long __probe_ret_ip;	offset:16;	size:8;	signed:0;
	field:s64 ret;	offset:24;	size:8;	signed:1;
	field:__data_loc char[] comm;	offset:32;	size:4;	signed:1;

print fmt: "(%lx <- %lx) ret=%Ld comm=\\"%s\\"", REC->__probe_func, REC->__probe_ret_ip, REC->ret, __get_str(comm)
"""


def of(event: str) -> EventFormat:
    return parse_format((FORMATS / event).read_text())


def own_fields(layout: EventFormat) -> list[tuple[str, int, int, bool, Kind]]:
    return [
        (field.name, field.offset, field.size, field.signed, field.kind)
        for field in layout.fields.values()
        if not field.name.startswith("common_")
    ]


def test_every_event_has_the_common_fields() -> None:
    layout = of("sched/sched_process_exec")
    assert layout["common_type"] == Field("common_type", 0, 2, False, "int")
    assert layout["common_pid"] == Field("common_pid", 4, 4, True, "int")


@pytest.mark.parametrize(
    ("event", "name", "number", "fields"),
    [
        (
            "syscalls/sys_enter_syslog",
            "sys_enter_syslog",
            410,
            [
                ("__syscall_nr", 8, 4, True, "int"),
                ("type", 16, 8, False, "int"),
                ("buf", 24, 8, False, "int"),
                ("len", 32, 8, False, "int"),
            ],
        ),
        (
            "sched/sched_process_exec",
            "sched_process_exec",
            365,
            [("filename", 8, 4, False, "data_loc"), ("pid", 12, 4, True, "int"), ("old_pid", 16, 4, True, "int")],
        ),
        (
            "task/task_newtask",
            "task_newtask",
            205,
            [
                ("pid", 8, 4, True, "int"),
                ("comm", 12, 16, False, "bytes"),
                ("clone_flags", 32, 8, False, "int"),
                ("oom_score_adj", 40, 2, True, "int"),
            ],
        ),
        (
            "task/task_rename",
            "task_rename",
            204,
            [
                ("pid", 8, 4, True, "int"),
                ("oldcomm", 12, 16, False, "bytes"),
                ("newcomm", 28, 16, False, "bytes"),
                ("oom_score_adj", 44, 2, True, "int"),
            ],
        ),
        (
            "cgroup/cgroup_attach_task",
            "cgroup_attach_task",
            538,
            [
                ("dst_root", 8, 4, True, "int"),
                ("dst_level", 12, 4, True, "int"),
                ("dst_id", 16, 8, False, "int"),
                ("pid", 24, 4, True, "int"),
                ("dst_path", 28, 4, False, "data_loc"),
                ("comm", 32, 4, False, "data_loc"),
            ],
        ),
        ("printk/console", "console", 411, [("msg", 8, 4, False, "data_loc")]),
        ("raw_syscalls/sys_enter", "sys_enter", 443, [("id", 8, 8, True, "int"), ("args", 16, 48, False, "bytes")]),
        (
            "ftrace/function",
            "function",
            1,
            [("ip", 8, 8, False, "int"), ("parent_ip", 16, 8, False, "int"), ("args", 24, 0, False, "bytes")],
        ),
    ],
)
def test_format_of_a_6_18_kernel(
    event: str, name: str, number: int, fields: list[tuple[str, int, int, bool, Kind]]
) -> None:
    layout = of(event)
    assert (layout.name, layout.id, own_fields(layout)) == (name, number, fields)


def test_format_of_a_kprobe() -> None:
    layout = parse_format(KPROBE)
    assert (layout.name, layout.id) == ("e", 1338)
    assert own_fields(layout) == [
        ("__probe_ip", 8, 8, False, "int"),
        ("action", 16, 4, True, "int"),
        ("len", 20, 4, True, "int"),
        ("comm", 24, 4, True, "data_loc"),
    ]


def test_format_of_a_return_probe() -> None:
    layout = parse_format(KRETPROBE)
    assert own_fields(layout)[2:] == [("ret", 24, 8, True, "int"), ("comm", 32, 4, True, "data_loc")]


def test_kprobe_record_is_read_by_its_format() -> None:
    layout = parse_format(KPROBE)
    raw = record(layout, 4242, {"action": 5, "len": -1, "comm": b'a ] "\n\xff'})
    assert layout["common_pid"].integer(raw) == 4242
    assert layout["action"].integer(raw) == 5
    assert layout["len"].integer(raw) == -1
    assert layout["comm"].text(raw) == b'a ] "\n\xff'


def test_relative_location_counts_from_its_own_end() -> None:
    fields = parse_fields("\tfield:__rel_loc char[] name;\toffset:8;\tsize:4;\tsigned:0;\n")
    raw = bytes(8) + (3 << 16 | 2).to_bytes(4, "little") + b"xxab\0"
    assert fields["name"] == Field("name", 8, 4, False, "rel_loc")
    assert fields["name"].text(raw) == b"ab"


def test_fixed_array_ends_at_its_nul() -> None:
    layout = of("task/task_rename")
    raw = record(layout, 1, {"newcomm": b"cleanup.sh"})
    assert layout["newcomm"].text(raw) == b"cleanup.sh"


def test_pointer_is_named_without_its_star() -> None:
    assert "buf" in parse_fields("\tfield:char *buf;\toffset:24;\tsize:8;\tsigned:0;\n")


@pytest.mark.parametrize("declared", [" ", "char *"])
def test_field_without_a_name_is_none(declared: str) -> None:
    assert parse_fields(f"\tfield:{declared};\toffset:24;\tsize:8;\tsigned:0;\n") == {}


def test_unknown_field_is_a_decode_error() -> None:
    with pytest.raises(DecodeError, match="event sched_process_exec has no field comm"):
        of("sched/sched_process_exec")["comm"]


def test_short_record_is_a_decode_error() -> None:
    layout = parse_format(KPROBE)
    raw = record(layout, 1, {"comm": b"dmesg"})
    with pytest.raises(DecodeError, match="field action ends at byte 20 of a record of 18"):
        layout["action"].integer(raw[:18])
    with pytest.raises(DecodeError, match="field comm ends at byte 34 of a record of 30"):
        layout["comm"].text(raw[:30])


FIELD = st.builds(
    Field,
    st.just("f"),
    st.integers(0, 60),
    st.integers(0, 16),
    st.booleans(),
    st.sampled_from(("int", "bytes", "data_loc", "rel_loc")),
)


@given(field=FIELD, raw=st.binary(max_size=80))
def test_any_field_of_any_record_is_read_or_a_decode_error(field: Field, raw: bytes) -> None:
    for read in (field.integer, field.text):
        with suppress(DecodeError):
            read(raw)


@given(kind=st.sampled_from(("data_loc", "rel_loc")), place=st.integers(0, (1 << 32) - 1), tail=st.binary(max_size=80))
def test_any_location_is_read_or_a_decode_error(kind: Kind, place: int, tail: bytes) -> None:
    try:
        text = Field("f", 0, 4, True, kind).text(place.to_bytes(4, "little") + tail)
    except DecodeError:
        return
    assert len(text) <= len(tail) + 4


FRAGMENT = st.sampled_from(
    (
        *("\tfield:", "int common_pid;", "char x[4];", "__data_loc char[] z;", " ", "[", "]", "\n"),
        *("\toffset:4;", "\tsize:4;", "\tsigned:1;", "name: a\n", "ID: 7\n", "ID: ²\n", "offset:" + "9" * 5000 + ";"),
    )
)


@given(st.one_of(st.text(max_size=200), st.lists(FRAGMENT, max_size=30).map("".join)))
@example("name: a\nID: " + "9" * 5000 + "\n\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n")
@example("name: a\nID: 1\n\tfield:int common_pid;\toffset:" + "4" * 5000 + ";\tsize:4;\tsigned:1;\n")
def test_any_text_is_a_format_or_a_decode_error(text: str) -> None:
    parse_fields(text)
    try:
        layout = parse_format(text)
    except DecodeError:
        return
    assert "common_pid" in layout.fields
