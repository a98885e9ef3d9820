"""The place of f_flags: found by opening files of ours, wherever a kernel keeps it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from fake_tracefs import FakeTracefs, Kernel
from hypothesis import given, settings
from hypothesis import strategies as st

from kmsg_exporter.probes.fileflags import f_flags_offset, offset_in
from kmsg_exporter.tracefs.instance import Instance


def found(kernel: Kernel, *, register: str = "%si", dev: Path = Path("/dev")) -> int | None:
    fake = FakeTracefs(kernel)
    try:
        with Instance(fake, "bulk", buffer_size_kb=64, overwrite=False) as instance:
            own = threading.get_native_id()
            offset, _ = f_flags_offset(instance, (), group="kmsg_exporter", register=register, own_tid=own, dev=dev)
        assert fake.read("kprobe_events") == ""
        return offset
    finally:
        fake.close()


@given(word=st.integers(0, 63))
@settings(max_examples=25)
def test_flags_are_found_at_any_offset(word: int) -> None:
    assert found(Kernel(f_flags_offset=4 * word)) == 4 * word


def test_struct_file_without_flags_in_reach_has_no_offset() -> None:
    assert found(Kernel(f_flags_offset=None)) is None


def test_kernel_without_memory_open_has_no_offset() -> None:
    assert found(Kernel(symbols=("__x64_sys_syslog",))) is None


def test_register_of_another_machine_has_no_offset() -> None:
    assert found(Kernel(), register="%x1") is None


def test_folder_without_a_null_device_is_no_obstacle(tmp_path: Path) -> None:
    assert found(Kernel(f_flags_offset=64), dev=tmp_path) == 64


@pytest.mark.parametrize(
    ("definition", "offset"),
    [
        ("p:kmsg_exporter/ke_devkmsg_open devkmsg_open flags=+64(%si):u32 comm=$comm", 64),
        ("p:kmsg_exporter/ke_devkmsg_open devkmsg_open flags=+0(%x1):u32", 0),
        ("p:kmsg_exporter/ke_devkmsg_open devkmsg_open comm=$comm", None),
        ("p:kmsg_exporter/ke_devkmsg_open devkmsg_open flags=+" + "9" * 5000 + "(%si):u32", None),
    ],
)
def test_offset_is_read_back_from_a_definition(definition: str, offset: int | None) -> None:
    assert offset_in(definition) == offset
