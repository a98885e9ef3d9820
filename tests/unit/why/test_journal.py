"""journalctl is asked for the kernel's lines; what it could not look at is not taken for looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kmsg_exporter.why import journal
from kmsg_exporter.why.clocks import Clocks
from kmsg_exporter.why.kmsg import Record
from kmsg_exporter.why.logfiles import Search, Sought

OOM = b"Memory cgroup out of memory: Killed process 123 (payments) total-vm:44216kB, anon-rss:9000kB"
KILL = Record(OOM, 2_375_291_000, 3, 388)
SAME = {"MESSAGE": OOM.decode(), "_SOURCE_MONOTONIC_TIMESTAMP": "2375291000"}
MACHINE = "3d1219c7c4c5404aaa1f6d2a48adfda4"
TOO_MUCH = "the journal: read only in part, there is too much"
HINT = (
    "Hint: You are currently not seeing messages from other users and the system.\n"
    "      Users in groups 'adm', 'systemd-journal' can see all messages.\n"
    "      Pass -q to turn off this notice.\n"
)


def journalctl(folder: Path, *entries: object, said: str = "", rest: str = "") -> Path:
    """A journalctl that prints these entries, keeps how it was called, and is as quiet as the real one with JSON."""
    program = folder / "journalctl"
    (folder / "entries").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    (folder / "said").write_text(said)
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/called\n'
        f"case $* in *json*) cat {folder}/entries ;; *) cat {folder}/said >&2 ;; esac\n{rest}\n"
    )
    program.chmod(0o755)
    return program


def journal_of(folder: Path) -> None:
    (folder / MACHINE).mkdir(parents=True)
    (folder / MACHINE / "system.journal").touch()


def search(program: Path, *folders: Path, own: bool = True, **limits: float) -> Search:
    clocks = Clocks(1_795_428_000, 7200, 7200)
    return journal.search(
        [Sought.of(KILL, clocks)],
        folders,
        own=own,
        program=program,
        max_bytes=int(limits.get("max_bytes", journal.MAX_BYTES)),
        max_seconds=limits.get("max_seconds", journal.MAX_SECONDS),
    )


def test_the_journal_is_asked_for_the_kernels_lines_and_matched_by_their_own_time(tmp_path: Path) -> None:
    other = SAME | {"_SOURCE_MONOTONIC_TIMESTAMP": "1"}
    found = search(journalctl(tmp_path, {}, other, "odd", 7, [], SAME))
    assert (found.where, found.read, found.unread) == ([["the journal"]], ["the journal"], [])
    assert (tmp_path / "called").read_text().splitlines() == [
        "--dmesg --no-pager --lines=1",
        "--dmesg --no-pager --output=json --output-fields=MESSAGE,_SOURCE_MONOTONIC_TIMESTAMP --reverse",
    ]
    assert search(journalctl(tmp_path, other)).where == [[]]
    numbers = {"MESSAGE": list(OOM)}
    assert search(journalctl(tmp_path, numbers)).where == [["the journal"]]


def test_a_node_without_journalctl_and_journal_has_no_journal(tmp_path: Path) -> None:
    found = search(tmp_path / "absent", tmp_path / "journal")
    assert (found.where, found.read, found.unread) == ([[]], [], [])


def test_a_journal_that_no_journalctl_can_read_is_told(tmp_path: Path) -> None:
    journal_of(tmp_path / "journal")
    (tmp_path / "run" / MACHINE).mkdir(parents=True)
    found = search(tmp_path / "absent", tmp_path / "run", tmp_path / "journal")
    assert (found.read, found.unread) == (
        [],
        [f"the journal: there is no journalctl here to read {tmp_path}/journal with"],
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("No journal files were found.\n", "No journal files were found."),
        (
            HINT,
            "Hint: You are currently not seeing messages from other users and the system. Users in groups 'adm', "
            "'systemd-journal' can see all messages.",
        ),
    ],
)
def test_what_journalctl_says_to_persons_only_is_told(tmp_path: Path, said: str, told: str) -> None:
    found = search(journalctl(tmp_path, said=said))
    assert (found.read, found.unread) == ([], [f"the journal: {told}"])


def test_a_journal_of_which_a_file_is_broken_is_looked_through_and_told(tmp_path: Path) -> None:
    found = search(journalctl(tmp_path, SAME, said="Journal file x is truncated, ignoring file."))
    assert (found.where, found.read, found.unread) == (
        [["the journal"]],
        [],
        ["the journal: Journal file x is truncated, ignoring file."],
    )


def test_a_journalctl_that_fails_has_not_looked(tmp_path: Path) -> None:
    found = search(journalctl(tmp_path, rest="exit 3"))
    assert (found.read, found.unread) == ([], ["the journal: journalctl ended with 3"])


def test_journals_that_are_elsewhere_are_named_to_journalctl(tmp_path: Path) -> None:
    """Not an empty folder: it would say that this boot is not in it."""
    journal_of(tmp_path / "b")
    (tmp_path / "c" / MACHINE).mkdir(parents=True)
    found = search(journalctl(tmp_path, SAME), tmp_path / "a", tmp_path / "b", tmp_path / "c", own=False)
    assert (found.where, found.read) == ([["the journal"]], ["the journal"])
    called = (tmp_path / "called").read_text().splitlines()
    assert [line.split()[:3] for line in called] == [["--dmesg", "--no-pager", f"--directory={tmp_path}/b"]] * 2
    (tmp_path / "called").unlink()
    found = search(journalctl(tmp_path, SAME), tmp_path / "a", own=False)
    assert (found.where, found.read, found.unread) == ([[]], [], [])
    assert not (tmp_path / "called").exists()


def test_a_journal_that_may_not_be_looked_into_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal").symlink_to(tmp_path / "journal")  # refused even to root
    found = search(journalctl(tmp_path, SAME), tmp_path / "journal", own=False)
    refused = f"the journal: {tmp_path}/journal: Too many levels of symbolic links"
    assert (found.where, found.read, found.unread) == ([[]], [], [refused])
    assert search(tmp_path / "absent", tmp_path / "journal").unread == [refused]


def test_a_journal_that_never_ends_is_left(tmp_path: Path) -> None:
    endless = journalctl(tmp_path, rest="exec yes '{}'")
    assert search(endless, max_bytes=1 << 20).unread == [TOO_MUCH]
    silent = journalctl(tmp_path, rest="exec sleep 1000")
    assert search(silent, max_seconds=0.2).unread == [TOO_MUCH]
    closed = journalctl(tmp_path, rest="exec >&- 2>&- sleep 1000")
    assert search(closed, max_seconds=0.2).unread == [TOO_MUCH]
