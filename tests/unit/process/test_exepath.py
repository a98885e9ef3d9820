"""Paths given to execve, followed in a real tree of files as the kernel would."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from fake_proc import FakeProc
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.process.exepath import as_exe, resolve

LATER = 1 << 62  # than any file of a test was made
TICK = 10_000_000


def exe(proc: FakeProc, filename: str) -> tuple[str, bool]:
    return as_exe(filename, root=proc.host, unix_ns=LATER)


def test_plain_absolute_path_is_taken_as_it_is(proc: FakeProc) -> None:
    proc.file("/usr/bin/dmesg")
    assert exe(proc, "/usr/bin/dmesg") == ("/usr/bin/dmesg", False)


def test_symlink_is_followed(proc: FakeProc) -> None:
    proc.file("/usr/bin/busybox")
    proc.link("/bin", "usr/bin")
    proc.link("/usr/bin/dmesg", "busybox")
    assert exe(proc, "/bin/dmesg") == ("/usr/bin/busybox", True)


def test_absolute_symlink_stays_below_the_root(proc: FakeProc) -> None:
    proc.file("/opt/tool")
    proc.link("/usr/bin/tool", "/opt/tool")
    assert exe(proc, "/usr/bin/tool") == ("/opt/tool", True)
    proc.link("/usr/bin/out", "/etc/passwd")
    assert exe(proc, "/usr/bin/out") == ("/usr/bin/out", True)


def test_dots_do_not_climb_out_of_the_root(proc: FakeProc) -> None:
    proc.file("/bin/x")
    proc.link("/deep/up", "../../../../../../bin/x")
    assert exe(proc, "/deep/up") == ("/bin/x", True)
    assert exe(proc, "/../../bin/./x") == ("/bin/x", True)


def test_dots_behind_a_symlink_are_those_of_its_target(proc: FakeProc) -> None:
    proc.file("/a/b/tool")
    proc.file("/a/other")
    proc.link("/short", "a/b")
    assert exe(proc, "/short/../other") == ("/a/other", True)


def test_loop_of_symlinks_is_returned_as_it_is(proc: FakeProc) -> None:
    proc.link("/loop/a", "b")
    proc.link("/loop/b", "a")
    assert exe(proc, "/loop/a") == ("/loop/a", True)


def test_forty_symlinks_are_followed_and_no_more(proc: FakeProc) -> None:
    proc.file("/chain/0")
    for number in range(1, 42):
        proc.link(f"/chain/{number}", str(number - 1))
    assert resolve("/chain/40", root=proc.host, unix_ns=LATER) == "/chain/0"
    assert resolve("/chain/41", root=proc.host, unix_ns=LATER) is None


def test_missing_path_is_returned_as_it_is(proc: FakeProc) -> None:
    assert exe(proc, "/usr/bin/gone") == ("/usr/bin/gone", True)
    assert resolve("/usr/bin/gone", root=proc.host, unix_ns=LATER) is None


def test_relative_path_is_returned_as_it_is(proc: FakeProc) -> None:
    proc.file("/clean")
    assert exe(proc, "./clean") == ("./clean", True)
    assert exe(proc, "clean") == ("clean", True)


def test_symlink_that_may_have_been_turned_since_is_not_followed(proc: FakeProc) -> None:
    proc.file("/usr/bin/innocent")
    proc.link("/tmp/link", "/usr/bin/innocent")
    made = (proc.host / "tmp/link").lstat().st_ctime_ns
    assert as_exe("/tmp/link", root=proc.host, unix_ns=made + TICK) == ("/usr/bin/innocent", True)
    assert as_exe("/tmp/link", root=proc.host, unix_ns=made + TICK - 1) == ("/tmp/link", True)


def test_script_that_may_have_been_written_since_shows_itself(proc: FakeProc) -> None:
    proc.file("/usr/bin/innocent")
    made = proc.file("/tmp/script", b"#!/usr/bin/innocent\n").stat().st_ctime_ns
    assert as_exe("/tmp/script", root=proc.host, unix_ns=made + TICK) == ("/usr/bin/innocent", True)
    assert as_exe("/tmp/script", root=proc.host, unix_ns=made + TICK - 1) == ("/tmp/script", False)


def test_path_over_proc_self_is_not_followed_to_what_the_agent_has_there(proc: FakeProc) -> None:
    proc.link("/dev/fd", "/proc/self/fd")
    proc.link("/proc/self", "7")
    proc.link("/proc/7/fd/3", "/usr/bin/innocent")
    proc.link("/proc/thread-self", "7/task/7")
    proc.link("/proc/7/task/7/exe", "/usr/bin/innocent")
    proc.file("/usr/bin/innocent")
    assert exe(proc, "/dev/fd/3") == ("/dev/fd/3", True)
    assert exe(proc, "/proc/self/fd/3") == ("/proc/self/fd/3", True)
    assert exe(proc, "/proc/thread-self/exe") == ("/proc/thread-self/exe", True)
    assert exe(proc, "/proc/7/fd/3") == ("/usr/bin/innocent", True)


def test_script_shows_its_interpreter(proc: FakeProc) -> None:
    proc.file("/usr/bin/bash")
    proc.link("/bin/sh", "/usr/bin/bash")
    proc.file("/srv/clean.sh", b"#! /bin/sh -e\ndmesg -C\n")
    assert exe(proc, "/srv/clean.sh") == ("/usr/bin/bash", True)


def test_script_of_a_script_shows_the_last_interpreter(proc: FakeProc) -> None:
    proc.file("/bin/sh")
    proc.file("/bin/wrapper", b"#!/bin/sh\n")
    proc.file("/srv/job", b"#!/bin/wrapper\n")
    assert exe(proc, "/srv/job") == ("/bin/sh", True)


def test_relative_interpreter_is_returned_as_it_is(proc: FakeProc) -> None:
    proc.file("/srv/bin/tool")
    proc.file("/srv/job", b"#!bin/tool\n")
    assert exe(proc, "/srv/job") == ("bin/tool", True)


def test_script_that_is_its_own_interpreter_ends(proc: FakeProc) -> None:
    proc.file("/srv/loop", b"#!/srv/loop\n")
    assert exe(proc, "/srv/loop") == ("/srv/loop", True)


@pytest.mark.parametrize("content", [b"", b"#!", b"#!\n", b"#! \n/bin/sh\n", b"# comment\n"])
def test_file_without_an_interpreter_is_itself(proc: FakeProc, content: bytes) -> None:
    proc.file("/srv/x", content)
    assert exe(proc, "/srv/x") == ("/srv/x", False)


def test_fifo_is_not_opened(proc: FakeProc) -> None:
    os.mkfifo(proc.host / "pipe")
    assert exe(proc, "/pipe") == ("/pipe", False)


def test_nul_in_a_script_ends_its_interpreter(proc: FakeProc) -> None:
    proc.file("/bin/sh")
    proc.file("/srv/x", b"#!/bin/sh\0junk\n")
    assert exe(proc, "/srv/x") == ("/bin/sh", True)


def test_target_that_is_not_utf8_is_replaced(proc: FakeProc) -> None:
    proc.link("/bin/x", os.fsdecode(b"/opt/\xff"))
    (proc.host / "opt").mkdir()
    Path(os.fsdecode(os.fsencode(proc.host) + b"/opt/\xff")).write_bytes(b"\x7fELF")
    assert exe(proc, "/bin/x") == ("/opt/\ufffd", True)


@given(
    st.lists(st.sampled_from(["..", ".", "a", "b", "loop", "out", "up", "script", "x" * 300, ""]), max_size=8),
    st.booleans(),
)
def test_any_path_ends_below_the_root(parts: list[str], absolute: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "root"
        (root / "a" / "b").mkdir(parents=True)
        (root / "a" / "loop").symlink_to("../a/loop")
        (root / "out").symlink_to(name)
        (root / "a" / "up").symlink_to("../../..")
        (root / "script").write_bytes(b"#!a/b/../../script\n")
        filename = "/" * absolute + "/".join(parts)
        as_exe(filename, root=root, unix_ns=LATER)
        real = resolve(filename, root=root, unix_ns=LATER)
        if real is not None:
            assert (root / real.lstrip("/")).resolve().is_relative_to(root.resolve())
            assert ".." not in real.split("/")


@given(st.binary(max_size=300))
def test_any_content_is_a_script_or_not(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "x").write_bytes(content)
        found, _derived = as_exe("/x", root=Path(name), unix_ns=LATER)
    found.encode()
