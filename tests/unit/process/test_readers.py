"""Who holds the log open for reading: descriptors in a fake /proc, the device played by /dev/null."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fake_proc import FakeProc

from kmsg_exporter.model import Reader
from kmsg_exporter.process import procfs, readers
from kmsg_exporter.process.readers import ReaderScan


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What /dev/kmsg is on a machine where it can't be made."""
    monkeypatch.setattr(readers, "_KMSG_DEVICE", Path("/dev/null").stat().st_rdev)
    (tmp_path / "kmsg").symlink_to("/dev/null")
    return tmp_path / "kmsg"


@pytest.fixture(autouse=True)
def proc_kmsg(proc: FakeProc) -> Path:
    (proc.folder / "kmsg").touch()
    return proc.folder / "kmsg"


def holds(proc: FakeProc, pid: int, number: int, target: Path, flags: str = "0100000") -> None:
    folder = proc.folder / str(pid)
    for name in ("fd", "fdinfo"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "fd" / str(number)).symlink_to(target)
    (folder / "fdinfo" / str(number)).write_text(f"pos:\t0\nflags:\t{flags}\nmnt_id:\t12\n")


def scanned(proc: FakeProc) -> tuple[Reader, ...] | None:
    scan = ReaderScan(proc=proc.folder, interval_seconds=15)
    scan.step(60)
    return scan.readers


def test_both_files_are_told_apart(proc: FakeProc, device: Path, proc_kmsg: Path) -> None:
    proc.add(42, comm="journald", exe="/usr/lib/journald")
    holds(proc, 42, 3, device)
    holds(proc, 42, 4, proc_kmsg)
    found = scanned(proc)
    assert found is not None
    assert sorted(found, key=lambda reader: reader.interface) == [
        Reader(42, "journald", "/usr/lib/journald", "dev_kmsg"),
        Reader(42, "journald", "/usr/lib/journald", "proc_kmsg"),
    ]


@pytest.mark.parametrize(
    ("flags", "reads"), [("0100000", True), ("0100002", True), ("0100001", False), ("02001", False)]
)
def test_only_descriptors_open_for_reading_count(proc: FakeProc, device: Path, flags: str, reads: bool) -> None:
    proc.add(42, comm="x", exe="/bin/x")
    holds(proc, 42, 3, device, flags)
    assert bool(scanned(proc)) is reads


@pytest.mark.parametrize("flags", ["", "0100mn000", "\xff"])
def test_descriptor_whose_flags_can_not_be_read_does_not_count(proc: FakeProc, device: Path, flags: str) -> None:
    proc.add(42, comm="x", exe="/bin/x")
    holds(proc, 42, 3, device, flags)
    assert scanned(proc) == ()


def test_process_with_two_descriptors_is_one_reader(proc: FakeProc, device: Path) -> None:
    proc.add(42, comm="x", exe="/bin/x")
    holds(proc, 42, 3, device)
    holds(proc, 42, 4, device)
    assert scanned(proc) == (Reader(42, "x", "/bin/x", "dev_kmsg"),)


def test_descriptor_for_writing_does_not_hide_one_for_reading(proc: FakeProc, device: Path) -> None:
    proc.add(42, comm="x", exe="/bin/x")
    holds(proc, 42, 3, device, "0100001")
    holds(proc, 42, 4, device, "0100000")
    assert scanned(proc) == (Reader(42, "x", "/bin/x", "dev_kmsg"),)


def test_other_files_of_that_name_do_not_count(proc: FakeProc, tmp_path: Path) -> None:
    proc.add(42, comm="x", exe="/bin/x")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "kmsg").write_text("a copy")
    holds(proc, 42, 3, tmp_path / "logs" / "kmsg")
    holds(proc, 42, 4, Path("/dev/zero"))
    holds(proc, 42, 5, tmp_path / "gone" / "kmsg")
    assert scanned(proc) == ()


def test_scan_goes_on_where_it_stopped(proc: FakeProc, device: Path) -> None:
    for pid in range(40, 60):
        proc.add(pid, comm="x", exe="/bin/x")
        holds(proc, pid, 3, device)
    scan = ReaderScan(proc=proc.folder, interval_seconds=15)
    steps = 0
    while scan.readers is None:
        assert scan.due()
        scan.step(0)
        steps += 1
    assert steps > 10
    assert sorted(reader.pid for reader in scan.readers) == list(range(40, 60))


@pytest.mark.parametrize(("spent_seconds", "next_seconds"), [(0.001, 15.0), (1.0, 2000.0)])
def test_next_scan_waits_for_its_interval_and_longer_when_scans_are_dear(
    proc: FakeProc, device: Path, spent_seconds: float, next_seconds: float
) -> None:
    now = 0.0
    clock = iter((0.0, *[spent_seconds] * 1000))
    scan = ReaderScan(
        proc=proc.folder, interval_seconds=15, share=0.0005, monotonic=lambda: now, cpu=lambda: next(clock)
    )
    proc.add(42, comm="x", exe="/bin/x")
    scan.step(60)
    holds(proc, 42, 3, device)
    now = next_seconds - 0.1
    scan.step(60)
    assert not scan.readers
    now = next_seconds
    assert scan.due()
    scan.step(60)
    assert scan.readers == (Reader(42, "x", "/bin/x", "dev_kmsg"),)


def test_reader_that_is_gone_is_seen_at_the_next_interval_however_dear_scans_are(
    proc: FakeProc, device: Path, proc_kmsg: Path
) -> None:
    now = 0.0
    clock = iter((0.0, *[1.0] * 1000))
    for pid in (42, 43, 44):
        proc.add(pid, comm="x", exe="/bin/x")
        holds(proc, pid, 3, device)
    scan = ReaderScan(proc=proc.folder, interval_seconds=15, monotonic=lambda: now, cpu=lambda: next(clock))
    scan.step(60)
    assert scan.readers is not None
    assert len(scan.readers) == 3
    (proc.folder / "42" / "fd" / "3").unlink()
    (proc.folder / "43" / "fd" / "3").unlink()
    holds(proc, 43, 4, proc_kmsg)
    now = 14.9
    assert not scan.due()
    now = 15.0
    assert scan.due()
    scan.step(60)
    assert set(scan.readers) == {Reader(43, "x", "/bin/x", "proc_kmsg"), Reader(44, "x", "/bin/x", "dev_kmsg")}
    assert not scan.due()


def test_reader_that_is_a_new_process_is_seen_at_the_next_interval_however_dear_scans_are(
    proc: FakeProc, device: Path
) -> None:
    now = 0.0
    clock = iter((0.0, 1.0, *[1.0] * 1000))
    scan = ReaderScan(proc=proc.folder, interval_seconds=15, monotonic=lambda: now, cpu=lambda: next(clock))
    scan.step(60)
    proc.add(42, comm="x", exe="/bin/x")
    holds(proc, 42, 3, device)
    now = 15.0
    scan.step(60)
    assert scan.readers == (Reader(42, "x", "/bin/x", "dev_kmsg"),)
    now = 30.0
    scan.step(60)
    assert scan.readers == (Reader(42, "x", "/bin/x", "dev_kmsg"),)


def test_what_a_process_opens_in_its_first_half_minute_is_seen_at_the_next_interval(
    proc: FakeProc, device: Path
) -> None:
    now = 0.0
    clock = iter((0.0, 1.0, *[1.0] * 1000))
    scan = ReaderScan(proc=proc.folder, interval_seconds=15, monotonic=lambda: now, cpu=lambda: next(clock))
    proc.add(41, comm="init", exe="/bin/init")
    scan.step(60)
    proc.add(42, comm="x", exe="/bin/x")
    seen = []
    for now in (15.0, 30.0, 45.0):
        scan.step(60)
        seen.append(scan.readers)
        if now == 30.0:
            holds(proc, 42, 3, device)
    assert seen == [(), (), (Reader(42, "x", "/bin/x", "dev_kmsg"),)]
    proc.add(43, comm="y", exe="/bin/y")
    now = 60.0
    scan.step(60)
    now = 105.0
    scan.step(60)
    holds(proc, 43, 3, device)  # as late as this it is an old one
    now = 120.0
    scan.step(60)
    assert scan.readers == (Reader(42, "x", "/bin/x", "dev_kmsg"),)


@pytest.mark.parametrize("lives", [True, False], ids=["who lives on", "who is gone"])
def test_reader_that_let_go_brings_the_next_scan_forward_for_an_old_process_may_have_it_now(
    proc: FakeProc, device: Path, lives: bool
) -> None:
    now = 0.0
    clock = iter((0.0, *[1.0] * 1000))
    for pid in (41, 42):
        proc.add(pid, comm="x", exe="/bin/x")
    holds(proc, 41, 5, Path("/dev/zero"))
    holds(proc, 42, 3, device)
    scan = ReaderScan(proc=proc.folder, interval_seconds=15, monotonic=lambda: now, cpu=lambda: next(clock))
    scan.step(60)
    assert scan.readers == (Reader(42, "x", "/bin/x", "dev_kmsg"),)
    holds(proc, 41, 3, device)
    if lives:
        (proc.folder / "42" / "fd" / "3").unlink()
    else:
        shutil.rmtree(proc.folder / "42")
    now = 15.0
    scan.step(60)
    assert not scan.readers
    now = 200.0  # and not after 3,333 s: the first took one
    scan.step(60)
    assert scan.readers == (Reader(41, "x", "/bin/x", "dev_kmsg"),)


def test_open_brings_the_next_scan_forward(proc: FakeProc) -> None:
    now = 0.0
    scan = ReaderScan(proc=proc.folder, interval_seconds=15, monotonic=lambda: now, cpu=lambda: 0.0)
    scan.step(60)
    scan.bring_forward()
    assert not scan.due()
    now = 0.25
    assert scan.due()


@pytest.mark.parametrize(("opens", "bound"), [(False, 0.0003 + 0.005), (True, 2 * 0.005)])
def test_scans_stay_within_their_share_of_a_core_however_dear_and_wanted_they_are(
    proc: FakeProc, device: Path, monkeypatch: pytest.MonkeyPatch, opens: bool, bound: float
) -> None:
    """A process costs a millisecond, scrapes let the scan go on ten times a second: unbounded it were 2% and more."""
    now, spent, seconds = 0.0, 0.0, 1000

    def dear(_pid: int, *, proc: Path) -> str:
        nonlocal spent
        spent += 0.001
        return f"in {proc}"

    monkeypatch.setattr(procfs, "read_comm", dear)
    for pid in range(40, 60):
        proc.add(pid, comm="x", exe="/bin/x")
        holds(proc, pid, 3, device)
    scan = ReaderScan(proc=proc.folder, interval_seconds=1, monotonic=lambda: now, cpu=lambda: spent)
    for _ in range(10 * seconds):
        now += 0.1
        if opens:
            scan.bring_forward()
        if scan.due():
            scan.step(0.005)
    assert scan.readers is not None
    assert len(scan.readers) == 20
    assert spent < bound * seconds
