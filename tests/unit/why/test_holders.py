"""Who reads the log, as a fake /proc shows it; and who takes lines away from whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_proc import FakeProc

from kmsg_exporter.why import holders


def held(proc: FakeProc, pid: int) -> None:
    """/proc/kmsg is open for reading there."""
    for name in ("fd", "fdinfo"):
        (proc.folder / str(pid) / name).mkdir()
    (proc.folder / str(pid) / "fd" / "3").symlink_to(proc.folder / "kmsg")
    (proc.folder / str(pid) / "fdinfo" / "3").write_text("pos:\t0\nflags:\t0100000\n")


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    """With rsyslogd, which reads /proc/kmsg."""
    fake = FakeProc(tmp_path)
    (fake.folder / "kmsg").touch()
    fake.add(400, comm="rsyslogd", exe="/usr/sbin/rsyslogd")
    held(fake, 400)
    return fake


def test_a_klogd_without_a_descriptor_is_a_reader_as_well(proc: FakeProc) -> None:
    proc.add(500, comm="klogd", exe="/bin/busybox")
    proc.add(501, comm="klogd", exe=None, state="Z")
    cause, note = holders.findings(*holders.scan(proc.folder))
    assert cause.what == (
        "2 readers of /proc/kmsg and syslog(2) take lines away from each other: each goes to one of them"
    )
    assert cause.evidence == (
        "rsyslogd[400] /usr/sbin/rsyslogd reads /proc/kmsg",
        "klogd[500] /bin/busybox reads most likely by syslog(2)",
    )
    assert note.what == "1 process holds the log open for reading"


def test_a_klogd_that_holds_a_descriptor_is_one_reader(proc: FakeProc) -> None:
    proc.remove(400)
    proc.add(500, comm="klogd", exe="/sbin/klogd")
    held(proc, 500)
    (note,) = holders.findings(*holders.scan(proc.folder))
    assert note.evidence == ("klogd[500] /sbin/klogd reads /proc/kmsg",)


def test_a_child_that_has_the_descriptor_of_its_parent_takes_nothing_away(proc: FakeProc) -> None:
    proc.add(401, comm="rsyslogd", exe="/usr/sbin/rsyslogd", parent=400)
    held(proc, 401)
    shared, note = holders.findings(*holders.scan(proc.folder))
    assert (shared.verdict, shared.what) == (
        "note",
        "2 processes hold /proc/kmsg, handed on from parent to child: most likely one reads it",
    )
    assert shared.evidence == (
        "rsyslogd[400] /usr/sbin/rsyslogd reads /proc/kmsg",
        "rsyslogd[401] /usr/sbin/rsyslogd holds /proc/kmsg, as its parent does",
    )
    assert note.what == "2 processes hold the log open for reading"
