"""The screen as text: to the letter at three sizes, and within its bounds at any."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_moments import AFTER, EVENTS, moment, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import wcswidth

from kmsg_exporter.model import RingState
from kmsg_exporter.watching import layout
from kmsg_exporter.watching.controls import Controls
from kmsg_exporter.watching.feed import Moment

KEYS = ("up", "down", "page up", "page down", "home", "end", "tab", "enter", "esc", "s", "S", "r", "/", "p", "?", "x")


def controls(now: Moment | None = None, *keys: str) -> Controls:
    found = Controls()
    found.take(now or moment())
    for key in keys:
        found.press(key)
    return found


def texts(shown: Controls, columns: int, rows: int) -> list[str]:
    lines = layout.screen(shown, columns=columns, rows=rows, node="node-7")
    return ["".join(text for _, text in line).rstrip() for line in lines]


def test_80_by_24() -> None:
    assert texts(controls(), 80, 24) == [
        " kmsg-exporter watch  node-7                                           09:45:00",
        " via  the agent (pid 812, kprobe)",
        " log  EMPTY, 1593 records hidden",
        " ring [#####--------] 1593 records, 104 of 256 KiB (41%)",
        "      emptied 3 times, last 09:44:46, 1 of them by nobody known",
        "COMM            CLEARS REFUSED READS/s BYTES/s HOLDS       EXE",
        "dmesg                3       0     2.0     38K             /usr/bin/dmesg",
        "\\x1b[2J\\x1b]0;\u2026      0       4       0       0             /tmp/\u4e16\u754c/\\x1b[31mexe",
        "rsyslogd             0       0    15.0    1.2K /proc       /usr/sbin/rsyslogd",
        "systemd-journal      0       0     3.0     380 /dev        /usr/lib/systemd/sys\u2026",
        "node-problem-de      0       0       0       0 /dev        /opt/npd/bin/node-pr\u2026",
        *[""] * 8,
        "LAST EMPTYINGS",
        "09:44:46    dmesg[1320]          389 hidden, 1 error   cleanup.sh <- cron",
        "<09:14:48   unknown              17 hidden",
        "11-22 08:45 logrotate[801]       1187 hidden           \\x1b[31mkmsg \u4e16\u754c",
        " q quit  s sort:activity  / filter  p pause  enter details  tab  ? help",
    ]


def test_40_by_12() -> None:
    assert texts(controls(), 40, 12) == [
        " kmsg-exporter watch  node-7   09:45:00",
        " log  EMPTY, 1593 records hidden",
        " ring 1593 records, 104 of 256 KiB (41%)",
        "      emptied 3 times, last 09:44:46, 1\u2026",
        "COMM            CLEARS READS/s",
        "dmesg                3     2.0",
        "\\x1b[2J\\x1b]0;\u2026      0       0",
        "rsyslogd             0    15.0",
        "LAST EMPTYINGS (3)",
        "09:44:46    dmesg[1320]   389 hidden, 1\u2026",
        "<09:14:48   unknown       17 hidden",
        " q  s:activity  /  p  enter  tab  ?",
    ]


def test_200_columns_have_room_for_every_column() -> None:
    assert texts(controls(), 200, 50)[5:7] == [
        "COMM            CLEARS REFUSED READS/s  READS BYTES/s OPENS WRITES/s HOLDS       EXE",
        "dmesg                3       0     2.0      2     38K     0        0             /usr/bin/dmesg",
    ]


@settings(max_examples=150)
@given(
    columns=st.integers(1, 220),
    rows=st.integers(1, 60),
    keys=st.lists(st.sampled_from(KEYS), max_size=6),
    first=st.booleans(),
)
def test_at_any_size_it_has_its_rows_and_no_line_is_too_wide(
    columns: int, rows: int, keys: list[str], first: bool
) -> None:
    lines = layout.screen(controls(moment(first=first), *keys), columns=columns, rows=rows, node="\x1b[2J" * 9)
    assert len(lines) == rows
    for line in lines:
        text = "".join(part for _, part in line)
        assert text.isprintable()
        if columns >= 40:
            assert wcswidth(text) <= columns


def test_before_anything_is_known_it_says_what_is_going_on() -> None:
    assert texts(Controls(), 80, 24)[1] == " nothing is known yet"
    found = Controls()
    found.notes = [(0.0, "tracing is not possible")]
    assert texts(found, 80, 24)[1] == " tracing is not possible"


def test_what_a_backend_does_not_see_is_no_0() -> None:
    traced = replace(
        moment(), snapshot=snapshot({("reads", ("x", "/x"), ("syslog", "read")): 4}, readers=(), backend="tracepoint")
    )
    title, line = texts(controls(traced), 200, 50)[5:7]
    assert title.split()[:8] == ["COMM", "CLEARS", "REFUSED", "READS/s", "READS", "BYTES/s", "OPENS", "WRITES/s"]
    assert line.split() == ["x", "0", "0", "-", "4", "-", "-", "-", "/x"]


def test_what_is_not_seen_and_what_was_lost_is_said_where_there_is_room() -> None:
    lossy = replace(
        snapshot(AFTER), unseen=("writes to /dev/kmsg",), lost_events=2, left_out=1, ready=False, backend="tracepoint"
    )
    assert texts(controls(replace(moment(), snapshot=lossy)), 200, 24)[5] == (
        " not all: somebody took away what was attached: what happens now is not seen; 2 trace records lost; "
        "1 less busy user left out; tracepoint does not see: writes to /dev/kmsg"
    )


def test_a_change_of_the_source_is_said_for_a_while() -> None:
    now = moment(notes=("the agent (pid 7) is gone",))
    found = controls(now)
    assert texts(found, 80, 24)[5] == " the agent (pid 7) is gone"
    found.take(replace(moment(), unix=now.unix + 31))
    assert texts(found, 80, 24)[5].startswith("COMM")


def test_an_emptying_that_nobody_explains_is_said() -> None:
    once = replace(snapshot(AFTER, emptied=1), last_emptied_unix=None)
    assert texts(controls(replace(moment(), snapshot=once)), 80, 24)[4] == "      emptied once, by nobody known"


@pytest.mark.parametrize(
    ("ring", "line"),
    [
        (RingState(), " ring how full it is can't be seen here"),
        (
            RingState(False, 0, 10, 4, 1 << 17, 1 << 17),
            " ring [####################] 6 records, 128 KiB full, 4 overwritten",
        ),
        (RingState(True, 0, 0, 0, 1 << 17, 0), " ring [--------------------] 0 records, 0 of 128 KiB (0%)"),
        (RingState(False, buffer_bytes=1 << 17), " ring 128 KiB"),
    ],
)
def test_the_ring_is_as_full_as_is_known(ring: RingState, line: str) -> None:
    found = controls(replace(moment(), snapshot=snapshot(AFTER, ring=ring)))
    assert texts(found, 120, 24)[3] == line


def test_an_emptying_in_full() -> None:
    assert texts(controls(None, "tab", "enter"), 100, 24)[1:19] == [
        " dmesg on node-7 was emptied by dmesg (/usr/bin/dmesg, pid 1320) run by cleanup.sh <- cron; 389",
        "   records are hidden, 1 of them an error or worse.",
        "",
        " when      2026-11-23 09:44:46",
        " who       dmesg[1320]",
        " exe       /usr/bin/dmesg",
        " by        clear",
        " script    cleanup.sh",
        " known by  exec_trace",
        " run by    1318 cleanup.sh /usr/bin/dash",
        "             115 cron /usr/sbin/cron",
        "               1 systemd /usr/lib/systemd",
        " hidden    389 hidden, 1 error: 1 err, 388 info",
        " records   1204 to 1592",
        "",
        " 2 lines of what was hidden (kmsg-exporter recover prints all that is left):",
        " <6>[ 2375.290101] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),task=payments,pid=123,uid=1",
        "   000",
    ]


def test_a_user_in_full() -> None:
    assert texts(controls(None, "down", "down", "enter"), 80, 24)[1:8] == [
        " comm      rsyslogd",
        " exe       /usr/sbin/rsyslogd",
        " holds     /proc/kmsg open, as pid 402",
        "",
        "      TOTAL  A SECOND",
        "        355      15.0  reads (/proc/kmsg, read)",
        "      31200      1.2K  bytes read (/proc/kmsg, read)",
    ]


def test_reading_ends_where_the_text_does() -> None:
    found = controls(None, "tab", "enter", "end")
    last = texts(found, 80, 10)
    assert last[-2] == "   total-vm:44216kB, anon-rss:32432kB"
    found.press("up")
    assert texts(found, 80, 10)[-1] == last[-1]
    assert texts(found, 80, 10)[-2] == last[-3]


def test_the_selected_line_is_in_sight_however_many_there_are() -> None:
    crowd = snapshot(
        {("reads", (f"reader-{number:03}", "/x"), ("syslog", "read")): 1 for number in range(300)}, readers=()
    )
    found = controls(replace(moment(), snapshot=crowd, before=None), *["down"] * 150)
    lines = layout.screen(found, columns=80, rows=24, node="node-7")
    assert [line[0][1].split()[0] for line in lines if line and line[0][0] == "selected"] == ["reader-150"]


def test_the_footer_says_the_order_the_filter_and_what_is_typed() -> None:
    assert "s sort:activity reversed" in texts(controls(None, "r"), 80, 24)[-1]
    assert texts(controls(None, "/", "d", "m"), 80, 24)[-1] == " filter: dm_   enter keeps it, esc shows all"
    assert "/ filter:dm" in texts(controls(None, "/", "d", "m", "enter"), 100, 24)[-1]
    assert "nobody fits 'zzz'" in texts(controls(None, "/", "z", "z", "z", "enter"), 80, 24)
    assert "PAUSED" in texts(controls(None, "p"), 80, 24)[0]


def test_help_lists_the_keys() -> None:
    assert texts(controls(None, "?"), 80, 24)[1].startswith(" up down, page up page down, home end   move")


def test_styles_all_have_a_look() -> None:
    from kmsg_exporter.watching.screen import PALETTE

    names = {name for name, *_ in PALETTE} | {""}
    for keys in ([], ["tab"], ["s"], ["enter"], ["?"], ["/", "x"]):
        for line in layout.screen(controls(None, *keys), columns=120, rows=40, node="n"):
            assert {style for style, _ in line} <= names
    assert len(EVENTS) == 3
