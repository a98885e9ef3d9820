"""The lines for pipes, to the letter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fake_moments import AFTER, BEFORE, EVENTS, INTRUDER, UNIX, emptying, moment, snapshot

from kmsg_exporter.model import RingState
from kmsg_exporter.watching import plain
from kmsg_exporter.watching.controls import Controls


def test_everything_is_one_line_that_begins_with_the_time() -> None:
    lines = list(plain.lines(moment(notes=("watching through X",)), Controls(), everybody=True, told=()))
    assert lines == [
        "09:45:00 note    watching through X",
        "09:45:00 log     EMPTY, 1593 records hidden; 1593 records, 104 of 256 KiB (41%); "
        "emptied 3 times, last 09:44:46, 1 of them by nobody known",
        "09:45:00 user    dmesg (/usr/bin/dmesg): clears 3 (1.0/s), reads 2 (2.0/s), bytes read 38100 (38K/s)",
        "09:45:00 user    \\x1b[2J\\x1b]0;x\\x07w\\u202en (/tmp/\u4e16\u754c/\\x1b[31mexe): refused clears 4 (1.0/s)",
        "09:45:00 user    rsyslogd (/usr/sbin/rsyslogd): reads 355 (15.0/s), bytes read 31200 (1.2K/s), "
        "holds /proc/kmsg open (pid 402)",
        "09:45:00 user    systemd-journal (/usr/lib/systemd/systemd-journald): reads 1593 (3.0/s), "
        "bytes read 201380 (380/s), writes 12 (0/s), holds /dev/kmsg open (pid 311)",
        "09:45:00 user    node-problem-de (/opt/npd/bin/node-problem-detector): reads 1593 (0/s), "
        "holds /dev/kmsg open (pid 977)",
        "09:45:00 emptied at 2026-11-22 08:45:00 by logrotate[801] run by \\x1b[31mkmsg \u4e16\u754c: 1187 hidden",
        "09:45:00 emptied between 09:14:33 and 09:14:48 by unknown: 17 hidden",
        "09:45:00 emptied at 09:44:46 by dmesg[1320] run by cleanup.sh <- cron: 389 hidden, 1 error",
    ]


def test_later_only_what_is_new_is_told() -> None:
    told = {plain.identity(event) for event in EVENTS}
    lines = list(plain.lines(moment(), Controls(), everybody=False, told=told))
    assert [line[9:16].strip() for line in lines] == ["log", "user", "user", "user", "user"]
    assert not any("node-problem" in line for line in lines)
    again = list(plain.lines(replace(moment(), before=snapshot(AFTER)), Controls(), everybody=False, told=told))
    assert len(again) == 1


def test_a_filter_and_an_order_hold_for_lines_too() -> None:
    lines = list(plain.lines(moment(), Controls(order="name", wanted="dmesg"), everybody=True, told=()))
    assert [line.split()[1] for line in lines] == ["log", "user", "emptied"]


def test_old_numbers_are_not_told_again() -> None:
    waiting = replace(moment(), source="nobody: waiting for the agent", fresh=False)
    assert list(plain.lines(waiting, Controls(), everybody=False, told=())) == [
        "09:45:00 log     watched by nobody: waiting for the agent"
    ]


def test_what_is_not_known_is_not_made_up() -> None:
    blind = replace(moment(), snapshot=snapshot({}, ring=RingState(), readers=None, emptied=0), emptyings=())
    assert list(plain.lines(blind, Controls(), everybody=True, told=())) == [
        "09:45:00 log     its state is not known; how full it is can't be seen here; not emptied since this is watched"
    ]


def test_several_emptyings_in_one_event_are_counted() -> None:
    many = replace(moment(), emptyings=(emptying(9, 5.0, coalesced=12),), before=snapshot(BEFORE))
    line = list(plain.lines(many, Controls(), everybody=False, told=()))[-1]
    assert (
        line == "09:45:00 emptied at 09:44:55 by dmesg[1320] and 11 more run by cleanup.sh <- cron: 389 hidden, 1 error"
    )
    assert many.unix == UNIX


def test_the_page_shows_what_is_printed() -> None:
    page = (Path(__file__).parents[3] / "docs" / "commands.md").read_text()
    shown = page.split("$ sudo kmsg-exporter watch --once\n")[1].split("```")[0]
    mild = {key: count for key, count in AFTER.items() if key[1] != INTRUDER}
    now = replace(
        moment(notes=("watching through the agent (pid 812, kprobe)",)),
        snapshot=snapshot(mild, seconds=1.0),
        emptyings=EVENTS[:2],
    )
    assert list(plain.lines(now, Controls(), everybody=True, told=())) == shown.splitlines()


def test_what_nobody_saw_is_told_with_the_time_in_which_it_was() -> None:
    once = replace(moment(), snapshot=snapshot({}, emptied=1), emptyings=(EVENTS[1],))
    log, *_, told = plain.lines(once, Controls(), everybody=True, told=())
    assert log.endswith("emptied once, found at 09:44:46, by nobody known")
    assert told == "09:45:00 emptied between 09:14:33 and 09:14:48 by unknown: 17 hidden"
