"""Troubles are found in what kernels print; and in log files and the journal, whichever way these write a line."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.why import logfiles
from kmsg_exporter.why.clocks import Clocks
from kmsg_exporter.why.kmsg import Record
from kmsg_exporter.why.logfiles import Search, Sought
from kmsg_exporter.why.troubles import find

OOM = b"Memory cgroup out of memory: Killed process 123 (payments) total-vm:44216kB, anon-rss:9000kB"
BOOT = time.mktime((2026, 11, 23, 9, 0, 0, 0, 0, -1))  # local time, as the daemons write it
CLOCKS = Clocks(BOOT + 7200, 7200, 7200)
KILL = Record(OOM, 2_375_291_000, 3, 388)  # 39 minutes and 35 seconds later


def record(text: str, usec: int = 1_000_000, priority: int = 3) -> Record:
    return Record(text.encode(), usec, priority, 1)


@pytest.mark.parametrize(
    ("line", "kind", "about"),
    [
        (OOM.decode(), "an OOM kill", "123 (payments)"),
        ("Out of memory: Killed process 7 (a (b) c) total-vm:1kB", "an OOM kill", "7 (a (b) c)"),
        ("Out of memory: Kill process 77 (java) score 901 or sacrifice child", "an OOM kill", "77 (java)"),
        ("Kernel panic - not syncing: Fatal exception", "a kernel panic", "Fatal exception"),
        ("kernel BUG at mm/slub.c:305!", "a kernel bug", "mm/slub.c:305!"),
        ("BUG: unable to handle page fault for address: ffff", "a kernel bug", "page fault for address: ffff"),
        (
            "general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP",
            "a kernel bug",
            "probably for non-canonical address 0xdead: 0000 [#1] SMP",
        ),
        ("Internal error: Oops: 96000004 [#1] PREEMPT SMP", "a kernel bug", "96000004 [#1] PREEMPT SMP"),
        ("first line\nkernel BUG at mm/slub.c:305!", "a kernel bug", "mm/slub.c:305!"),
        ("mce: [Hardware Error]: Machine check events logged", "a machine check", "events logged"),
        ("mce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 5: be00", "a machine check", "0 Bank 5: be00"),
        (
            "{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 0",
            "a hardware error",
            "APEI Generic Hardware Error Source: 0",
        ),
        (
            "[Hardware Error]: Corrected error, no action required.",
            "a hardware error",
            "Corrected error, no action required.",
        ),
        ("[Hardware Error]: System Fatal error.", "a hardware error", "System Fatal error."),
        (
            "Memory failure: 0x2f3a01: recovery action for dirty LRU page: Recovered",
            "a memory error",
            "0x2f3a01",
        ),
        ("EDAC MC0: 1 CE memory read error on CPU_SrcID#0", "a memory error", "memory read error on CPU_SrcID#0"),
        ("INFO: task jbd2/sda1-8:312 blocked for more than 120 seconds.", "a hung task", "jbd2/sda1-8:312"),
        ("watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [x:1]", "a lockup", "- CPU#3 stuck for 22s! [x:1]"),
        ("rcu: INFO: rcu_sched self-detected stall on CPU", "an RCU stall", "rcu_sched self-detected stall on CPU"),
        ("blk_update_request: I/O error, dev sda, sector 2048 op 0x0:(READ)", "an I/O error", "sda"),
        ("I/O error, dev nvme0n1, sector 99 op 0x1:(WRITE)", "an I/O error", "nvme0n1"),
        ("Buffer I/O error on dev sdb1, logical block 0, async page read", "an I/O error", "sdb1"),
        ("EXT4-fs error (device dm-0): ext4_lookup:1690: inode #2", "a file system error", "dm-0"),
        ("XFS (sdc1): Metadata I/O error in xfs_trans_read_buf_map", "a file system error", "sdc1"),
        ("EXT4-fs (sda1): error loading journal", "a file system error", "sda1"),
        ("EXT4-fs (sda1): Remounting filesystem read-only", "a file system error", "sda1"),
        ("BTRFS error (device sdd): bad tree block start", "a file system error", "sdd"),
        ("BTRFS error (device dm-0: state A): Transaction aborted (error -28)", "a file system error", "dm-0"),
        (
            "BTRFS: error (device dm-0: state A) in btrfs_commit_transaction:2418: errno=-5 IO failure",
            "a file system error",
            "dm-0",
        ),
        ("BTRFS critical (device dm-0: state EA): corrupt leaf: root=2", "a file system error", "dm-0"),
    ],
)
def test_what_kernels_print_of_a_trouble_is_found_with_what_it_is_about(line: str, kind: str, about: str) -> None:
    assert [(trouble.kind, trouble.about) for trouble in find([record(line)])] == [(kind, about)]


@pytest.mark.parametrize(
    "line",
    [
        "traps: nginx[1] general protection fault ip:7f1c sp:7ffd error:0 in libc.so.6[7f1c+155000]",
        "EXT4-fs (sda1): error count since last fsck: 3",
        "EXT4-fs (sda1): mounted filesystem with ordered data mode",
        "XFS (sda1): Mounting V5 Filesystem",
        "rcu: Hierarchical RCU implementation.",
        "payments invoked oom-killer: gfp_mask=0xcc0",
        "mce: CPU0: Thermal monitoring enabled",
        "Kernel command line: quiet panic=1",
    ],
)
def test_what_is_no_trouble_is_left(line: str) -> None:
    assert find([record(line)]) == []


def test_what_programs_write_is_not_the_kernels_trouble() -> None:
    assert find([record("Kernel panic - not syncing: a joke", priority=11)]) == []


def test_sector_after_sector_of_one_disk_is_one_trouble_and_the_newest_comes_first() -> None:
    lines = [record(f"I/O error, dev sda, sector {number}", number) for number in range(1, 4)]
    found = find([*lines, Record(OOM, 2, 3, 9)])
    assert [(trouble.kind, len(trouble.records)) for trouble in found] == [("an I/O error", 3), ("an OOM kill", 1)]


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_any_lines_can_be_looked_through(lines: list[bytes]) -> None:
    find([Record(line, 1, 3, 1) for line in lines])


def sought(*records: Record) -> list[Sought]:
    return [Sought.of(each, CLOCKS) for each in records or (KILL,)]


def look(folder: Path, *names: str, records: tuple[Record, ...] = ()) -> Search:
    def named(path: Path) -> str:
        return path.name

    return logfiles.search(sought(*records), [folder / name for name in names or logfiles.USUAL], named=named)


LINES = [
    b"Nov 23 09:39:36 node kernel: [ 2375.291000] " + OOM,
    b"Nov 23 09:39:36 node kernel: " + OOM,
    b"Nov 23 09:59:36 node kernel: " + OOM,  # the daemon came late
    b"<3>Nov 23 09:39:36 node kernel: " + OOM,
    b"2026-11-23T09:39:36.123456 node kernel: " + OOM,
    b"<3>1 2026-11-23T09:39:36.123456 node kernel - - - [ 2375.291000] " + OOM,
    b"kernel: " + OOM,
]


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_found_whichever_way_a_daemon_writes_it(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "kern.log").write_bytes(b"Nov 23 09:39:35 node kernel: before\n" + line + b"\n")
    os.utime(tmp_path / "kern.log", (BOOT + 3600, BOOT + 3600))
    found = look(tmp_path)
    assert (found.where, found.read, found.unread) == ([["kern.log:2"]], ["kern.log"], [])


@pytest.mark.parametrize(
    "line",
    [
        b"Nov 23 09:39:36 node kernel: [  375.291000] " + OOM,  # of another boot, by the kernel's own time
        b"Nov 20 09:39:36 node kernel: " + OOM,
        b"Nov 24 09:39:36 node kernel: " + OOM,  # a year ago
        b"2026-11-22T09:39:36 node kernel: " + OOM,
        b"Nov 23 09:39:36 node kernel: Memory cgroup out of memory: Killed process 124 (payments)",
    ],
)
def test_a_line_of_another_time_or_text_is_not_it(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "messages").write_bytes(line + b"\n")
    os.utime(tmp_path / "messages", (BOOT + 3600, BOOT + 3600))
    assert look(tmp_path).where == [[]]


def test_where_the_machine_slept_a_line_from_before_is_found(tmp_path: Path) -> None:
    """And where the kernel's clock is off by 100 parts in a million: 86 s in ten days."""
    written = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(BOOT + 2375 - 4 * 86400 - 200)).encode()
    (tmp_path / "messages").write_bytes(written + b" node kernel: " + OOM + b"\n")
    os.utime(tmp_path / "messages", (BOOT - 3 * 86400, BOOT - 3 * 86400))
    for boottime, where in ((14 * 86400, ["messages:1"]), (10 * 86400, [])):
        asleep = [Sought.of(KILL, Clocks(BOOT + 10 * 86400, 10 * 86400, boottime))]
        assert logfiles.search(asleep, [tmp_path / "messages"], named=lambda path: path.name).where == [where]


def test_files_and_folders_that_can_not_be_looked_at_are_told(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "messages").symlink_to(tmp_path / "loop")
    found = logfiles.search(
        sought(), [tmp_path / name for name in ("messages", "loop/syslog", "loop/kern.log", "no/x")]
    )
    assert (found.read, found.unread) == (
        [],
        [f"{tmp_path}/{name}: Too many levels of symbolic links" for name in ("messages", "loop")],
    )


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("syslog.1", bytes),
        ("syslog-20261123", bytes),
        ("syslog.2.gz", gzip.compress),
        ("syslog.2.xz", lzma.compress),
        ("syslog-20261123.bz2", bz2.compress),
    ],
)
def test_rotated_and_packed_files_are_looked_through(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).write_bytes(pack(LINES[0] + b"\n"))
    (tmp_path / "syslogs").write_bytes(LINES[0])
    os.utime(tmp_path / name, (BOOT + 7200, BOOT + 7200))
    assert look(tmp_path).where == [[f"{name}:1"]]


def test_what_was_last_written_before_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "syslog.1").write_bytes(LINES[0])
    os.utime(tmp_path / "syslog.1", (BOOT, BOOT))
    found = look(tmp_path)
    assert (found.where, found.read) == ([[]], [])


def test_broken_and_unknown_packings_are_told(tmp_path: Path) -> None:
    (tmp_path / "syslog.2.gz").write_bytes(b"not gzip")
    found = look(tmp_path)
    assert (found.where, found.read, len(found.unread)) == ([[]], [], 1)
    assert found.unread[0].startswith("syslog.2.gz: Not a gzipped file")


def test_reading_ends_when_it_is_too_much(tmp_path: Path) -> None:
    (tmp_path / "syslog").write_bytes(b"x" * 1000 + b"\n" + LINES[0])
    found = logfiles.search(sought(), [tmp_path / "syslog"], named=lambda path: path.name, max_bytes=500)
    assert (found.where, found.unread) == ([[]], ["syslog: read only in part, there is too much"])
    times = iter(range(0, 100, 50))
    (tmp_path / "syslog").write_bytes(b"x\n" * 5000)
    found = logfiles.search(sought(), [tmp_path / "syslog"], max_seconds=10, monotonic=lambda: next(times))
    assert found.unread == [f"{tmp_path}/syslog: read only in part, there is too much"]


def test_control_characters_are_written_in_each_daemons_way(tmp_path: Path) -> None:
    (tmp_path / "syslog").write_bytes(b"kernel: a#011tab and then a long rest of it\n")
    assert look(tmp_path, records=(Record(b"a\ttab and then a long rest of it", 1, 3, 1),)).where == [["syslog:1"]]
