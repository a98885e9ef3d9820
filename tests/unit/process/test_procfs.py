"""/proc: a living thread as its files show it, and any bytes in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from fake_proc import SECOND, FakeProc
from hypothesis import example, given
from hypothesis import strategies as st

from kmsg_exporter.process import procfs
from kmsg_exporter.process.procfs import Living, read_living

PROC = Path("/proc")


def test_thread_of_a_process_is_told_from_its_leader(proc: FakeProc) -> None:
    proc.add(43, pid=42, comm="worker", exe="/usr/bin/java", parent=7, uid=1000, start_ns=3 * SECOND)
    assert read_living(43, proc=proc.folder) == Living(
        tid=43,
        pid=42,
        parent_pid=7,
        user_id=1000,
        comm="worker",
        exe="/usr/bin/java",
        start_ns=3 * SECOND,
        zombie=False,
    )


def test_gone_is_none(proc: FakeProc) -> None:
    assert read_living(9, proc=proc.folder) is None
    assert procfs.read_comm(9, proc=proc.folder) is None
    assert procfs.read_exe(9, proc=proc.folder) is None
    assert procfs.read_cgroup(9, proc=proc.folder) is None
    assert procfs.read_command_args(9, proc=proc.folder) is None


def test_kernel_thread_has_no_executable(proc: FakeProc) -> None:
    proc.add(9, comm="kworker/0:1", exe=None)
    living = read_living(9, proc=proc.folder)
    assert living is not None
    assert (living.comm, living.exe) == ("kworker/0:1", "")


def test_zombie_is_one(proc: FakeProc) -> None:
    proc.add(9, comm="dmesg", exe=None, state="Z")
    living = read_living(9, proc=proc.folder)
    assert living is not None
    assert living.zombie


def test_comm_that_looks_like_the_rest_of_stat_is_a_comm(proc: FakeProc) -> None:
    proc.add(9, comm="a) Z 1 (b")
    living = read_living(9, proc=proc.folder)
    assert living is not None
    assert (living.comm, living.zombie) == ("a) Z 1 (b", False)


def test_removed_executable_keeps_its_name(proc: FakeProc) -> None:
    proc.add(9, exe="/memfd:payload (deleted)")
    assert procfs.read_exe(9, proc=proc.folder) == "/memfd:payload (deleted)"


def test_text_that_is_not_utf8_is_replaced(proc: FakeProc) -> None:
    proc.add(9, exe=None)
    (proc.folder / "9" / "comm").write_bytes(b"a\xff\nb\n")
    (proc.folder / "9" / "exe").symlink_to(os.fsdecode(b"/bin/\xfe"))
    assert procfs.read_comm(9, proc=proc.folder) == "a\ufffd\nb"
    assert procfs.read_exe(9, proc=proc.folder) == "/bin/\ufffd"


def test_executable_deeper_than_the_longest_path_is_unknown(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(21):
        os.mkdir(200 * "d", dir_fd=here)
        above, here = here, os.open(200 * "d", os.O_RDONLY, dir_fd=here)
        os.close(above)
    program = f"/proc/self/fd/{here}/sleep"
    shutil.copy2("/bin/sleep", program)
    with subprocess.Popen(["sleep", "1000"], executable=program, pass_fds=[here]) as process:
        found = procfs.read_exe(process.pid, proc=Path("/proc"))
        process.kill()
    os.close(here)
    assert found is None


@pytest.mark.parametrize(
    ("raw", "args"),
    [
        (b"dmesg\0-C\0", ("dmesg", "-C")),
        (b"sh\0-c\0\0", ("sh", "-c", "")),
        (b"postgres: writer", ("postgres: writer",)),
        (b"", None),
        (b"a" * 5000, ("a" * 4096,)),
    ],
)
def test_arguments_are_split_at_their_nuls(proc: FakeProc, raw: bytes, args: tuple[str, ...] | None) -> None:
    proc.add(9, args=raw)
    assert procfs.read_command_args(9, proc=proc.folder) == args


def test_this_process_is_alive() -> None:
    living = read_living(os.getpid(), proc=PROC)
    assert living is not None
    assert (living.pid, living.parent_pid, living.user_id) == (os.getpid(), os.getppid(), os.getuid())
    assert living.exe == str(Path("/proc/self/exe").readlink())
    assert not living.zombie


STATUS = b"Name:\tx\nTgid:\t9\nPPid:\t1\nUid:\t0\t0\t0\t0\n"
STAT = b"9 (x) S " + b"1 " * 30
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"Tgid:\t",
                b"PPid:\t",
                b"Uid:\t",
                b"\n",
                b"9",
                b" ",
                b")",
                b"(x) ",
                b"-1",
                b"9" * 5000,
                b"\xff",
                b"1 " * 19,
            ]
        ),
        st.binary(max_size=5),
    ),
    max_size=12,
).map(b"".join)


@given(status=st.just(STATUS) | PIECES, stat=st.just(STAT) | PIECES)
@example(status=b"Tgid:\t\nPPid:\t1\nUid:\t0\n", stat=STAT)
@example(status=b"Tgid:\t9\nPPid:\t1\nUid:\t\n", stat=STAT)
@example(status=STATUS, stat=b"")
@example(status=b"Tgid:\t9\n", stat=STAT)
def test_any_bytes_are_a_thread_or_none(status: bytes, stat: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "9"
        folder.mkdir()
        (folder / "status").write_bytes(status)
        (folder / "stat").write_bytes(stat)
        living = read_living(9, proc=Path(name))
    assert living is None or living.tid == 9


def test_a_process_lives_on_until_it_is_gone_a_zombie_or_somebody_else_has_its_id(proc: FakeProc) -> None:
    proc.add(9, comm="sh", start_ns=5 * SECOND)
    living = read_living(9, proc=proc.folder)
    assert living is not None
    found = []
    for comm, state, started in (("dmesg", "S", 5), ("sh", "Z", 5), ("sh", "S", 6)):
        proc.remove(9)
        proc.add(9, comm=comm, state=state, start_ns=started * SECOND)
        found.append(procfs.lives_on(living, proc=proc.folder))
    proc.remove(9)
    assert [*found, procfs.lives_on(living, proc=proc.folder)] == [True, False, False, False]
