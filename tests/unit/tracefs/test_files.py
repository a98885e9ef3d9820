"""Control files: what a refusal says, and how tracefs is told from a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kmsg_exporter.errors import FeatureUnavailable, TracefsNotMounted, TracefsRejected
from kmsg_exporter.tracefs.files import Tracefs, open_tracefs

LOG = """\
[    6.049222] trace_kprobe: error: There is already the exact same probe event
  Command: p:zz/e devkmsg_open
           ^
[    8.400249] trace_kprobe: error: Invalid register name
  Command: p:zz/n devkmsg_open a=%x0
                                 ^
"""
INSTANCE_LOG = """\
[   12.511996] event filter parse error: error: Field not found
  Command: type == 1
                ^
"""


def mounted(folder: Path, kind: str) -> Path:
    """A /proc that says that a file system of this kind is mounted where `folder` is."""
    device = folder.stat().st_dev
    (folder / "proc" / "self").mkdir(parents=True)
    (folder / "proc" / "self" / "mountinfo").write_text(
        "22 1 0:999 / / rw shared:1 - overlay overlay rw\n"
        f"35 22 {os.major(device)}:{os.minor(device)} / /t\\040t rw shared:7 master:2 - {kind} nodev rw\n"
    )
    return folder / "proc"


@pytest.mark.parametrize("line", ["39 24  - tracefs nodev rw\n", "39 24 0:9999999999 / / rw - tracefs nodev rw\n"])
def test_mount_without_a_device_number_is_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text(line)
    with pytest.raises(TracefsNotMounted):
        open_tracefs(tmp_path, proc=tmp_path)


def test_folder_that_is_no_tracefs_is_not_mounted(tmp_path: Path) -> None:
    root = tmp_path / "tracing"
    root.mkdir()
    with pytest.raises(TracefsNotMounted, match=r"tracefs not found at .*: mount it \(mount -t tracefs nodev .*\)"):
        open_tracefs(root, proc=mounted(tmp_path, "ext4"))


def test_folder_that_is_not_there_is_not_mounted(tmp_path: Path) -> None:
    with pytest.raises(TracefsNotMounted):
        open_tracefs(tmp_path / "tracing", proc=mounted(tmp_path, "tracefs"))


def test_empty_tracefs_is_lockdown(tmp_path: Path) -> None:
    root = tmp_path / "tracing"
    root.mkdir()
    with pytest.raises(FeatureUnavailable) as refused:
        open_tracefs(root, proc=mounted(tmp_path, "tracefs"))
    assert str(refused.value) == (
        f"tracefs at {root} is empty: kernel lockdown is at confidentiality, which only a boot without it ends"
    )


def test_tracefs_of_root_says_who_may_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    proc = mounted(tmp_path, "tracefs")
    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(TracefsRejected) as raised:
        open_tracefs(tmp_path, proc=proc)
    assert str(raised.value) == f"{tmp_path}: Permission denied: it belongs to root, run as root"


def test_tracefs_with_files_is_opened(tmp_path: Path) -> None:
    root = tmp_path / "tracing"
    root.mkdir()
    (root / "trace_clock").write_text("[local] boot\n")
    assert open_tracefs(root, proc=mounted(tmp_path, "tracefs")).read("trace_clock") == "[local] boot\n"


def test_refusal_names_the_path_the_command_and_the_last_reason(tmp_path: Path) -> None:
    (tmp_path / "error_log").write_text(LOG)
    refused = Tracefs(tmp_path)._refused("kprobe_events", "p:zz/n devkmsg_open a=%x0\n", OSError(22, ""))
    assert str(refused) == (
        f"{tmp_path}/kprobe_events: 'p:zz/n devkmsg_open a=%x0': Invalid argument (Invalid register name)"
    )


def test_refusal_inside_an_instance_is_explained_by_that_instance(tmp_path: Path) -> None:
    (tmp_path / "error_log").write_text(LOG)
    (tmp_path / "instances" / "a").mkdir(parents=True)
    (tmp_path / "instances" / "a" / "error_log").write_text(INSTANCE_LOG)
    refused = Tracefs(tmp_path)._refused("instances/a/events/x/y/filter", "type == 1", OSError(22, ""))
    assert str(refused).endswith("filter: 'type == 1': Invalid argument (Field not found)")


def test_refusal_without_an_error_log_has_the_kernels_reason_alone(tmp_path: Path) -> None:
    refused = Tracefs(tmp_path)._refused("kprobe_events", "p:a/b c", OSError(22, ""))
    assert str(refused).endswith("kprobe_events: 'p:a/b c': Invalid argument")


@pytest.mark.parametrize(("number", "reason"), [(1, "Operation not permitted"), (16, "Device or resource busy")])
def test_other_refusals_have_no_detail(tmp_path: Path, number: int, reason: str) -> None:
    (tmp_path / "error_log").write_text(LOG)
    refused = Tracefs(tmp_path)._refused("kprobe_events", "-:a/b", OSError(number, ""))
    assert isinstance(refused, TracefsRejected)
    assert refused.errno == number
    assert str(refused).endswith(f"'-:a/b': {reason}")


def test_write_appends_unless_it_is_to_replace(tmp_path: Path) -> None:
    path = tmp_path / "set_ftrace_filter"
    path.write_text("old\n")
    tracefs = Tracefs(tmp_path)
    tracefs.write("set_ftrace_filter", "more\n")
    assert path.read_text() == "old\nmore\n"
    tracefs.write("set_ftrace_filter", "only\n", truncate=True)
    assert path.read_text() == "only\n"


def test_text_that_is_not_utf8_is_readable(tmp_path: Path) -> None:
    (tmp_path / "trace").write_bytes(b"a\xffb\n")
    tracefs = Tracefs(tmp_path)
    assert tracefs.read("trace") == "a\ufffdb\n"
    assert list(tracefs.lines("trace")) == ["a\ufffdb\n"]


def test_file_that_is_not_there_is_a_missing_feature(tmp_path: Path) -> None:
    tracefs = Tracefs(tmp_path)
    for ask in (
        lambda: tracefs.read("none"),
        lambda: list(tracefs.lines("none")),
        lambda: tracefs.write("none", "x"),
        lambda: tracefs.open("none"),
    ):
        with pytest.raises(FeatureUnavailable):
            ask()
