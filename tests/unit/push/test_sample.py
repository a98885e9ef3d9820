"""Which hidden records an event keeps, and what is taken out of them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.model import LogRecord
from kmsg_exporter.push.sample import choose, is_important, line

INFO = [LogRecord(text=f"usb {n}", seq=n, level=6) for n in range(100)]


def test_the_last_fifty_are_kept_when_nothing_is_wrong() -> None:
    sample, omitted = choose(INFO)
    assert [record.seq for record in sample] == list(range(50, 100))
    assert omitted == 50


def test_all_are_kept_when_all_fit() -> None:
    assert choose(INFO[:50]) == (tuple(INFO[:50]), 0)


def test_an_old_error_and_an_old_oom_line_push_out_newer_chatter_and_stay_in_log_order() -> None:
    records = [
        LogRecord(text="I/O error, dev sda", seq=0, level=3),
        LogRecord(text="oom-kill:constraint=CONSTRAINT_MEMCG,task=java", seq=1, level=6),
        *(LogRecord(text="chatter", seq=seq, level=6) for seq in range(2, 10)),
    ]
    sample, omitted = choose(records, 4)
    assert [record.seq for record in sample] == [0, 1, 8, 9]
    assert omitted == 6


def test_errors_only_keeps_errors_and_oom_lines_only() -> None:
    records = [*INFO[:3], LogRecord(text="bad", seq=3, level=2), LogRecord(text="sh invoked oom-killer: gfp", seq=4)]
    sample, omitted = choose(records, "errors")
    assert [record.seq for record in sample] == [3, 4]
    assert omitted == 3


def test_errors_only_is_bounded_too() -> None:
    sample, omitted = choose([LogRecord(text="bad", seq=seq, level=3) for seq in range(80)], "errors")
    assert [record.seq for record in sample] == list(range(30, 80))
    assert omitted == 30


def test_zero_keeps_nothing() -> None:
    assert choose(INFO[:3], 0) == ((), 3)


@pytest.mark.parametrize(
    "text",
    [
        "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
        "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,task=java,pid=77,uid=0",
        "Out of memory: Killed process 77 (java) total-vm:8kB, anon-rss:4kB",
        "Out of memory: Kill process 77 (java) score 900 or sacrifice child",
        "Memory cgroup out of memory: Killed process 77 (java) total-vm:8kB",
        "Memory cgroup out of memory: Kill process 77 (java) score 900 or sacrifice child",
        "Killed process 77 (java) total-vm:8kB, anon-rss:4kB, file-rss:0kB",
        "oom_reaper: reaped process 77 (java), now anon-rss:0kB",
        "Tasks in /kubepods/burstable/pod1 are going to be killed due to memory.oom.group set",
    ],
)
def test_a_line_of_an_oom_kill_is_important_at_any_level(text: str) -> None:
    assert is_important(LogRecord(text=text, level=6))
    assert is_important(LogRecord(text=text))


def test_a_warning_is_not_important() -> None:
    assert not is_important(LogRecord(text="clocksource: unstable", level=4))


def test_what_matches_is_redacted() -> None:
    record = LogRecord(text="login alice token=s3cret from 10.0.0.1", seq=1, level=6)
    sample, _ = choose([record], 50, [re.compile(r"(?<=token=)\S+"), re.compile(r"\d+\.\d+\.\d+\.\d+")])
    assert [kept.text for kept in sample] == ["login alice token=[redacted] from [redacted]"]


def test_a_very_long_line_is_cut_at_a_blank_so_that_no_half_of_a_secret_is_left() -> None:
    record = LogRecord(text="a" * 4080 + " key=" + "s3cret" * 10, level=6)
    sample, _ = choose([record], 50, [re.compile("key=(s3cret){10}")])
    assert sample[0].text == "a" * 4080 + " [cut]"


def test_a_line_reads_like_dmesg_raw() -> None:
    assert line(LogRecord(text="hello", time_usec=12_345_678, level=6)) == "<6>[   12.345678] hello"
    assert line(LogRecord(text="hello", time_usec=12_345_678, level=6, facility=3)) == "<30>[   12.345678] hello"
    assert line(LogRecord(text="hello", time_usec=123_456_000_001)) == "[123456.000001] hello"
    assert line(LogRecord(text="hello", level=0)) == "<0>hello"
    assert line(LogRecord(text="hello")) == "hello"


@given(
    st.lists(st.builds(LogRecord, text=st.text(), level=st.none() | st.integers(0, 7)), max_size=20),
    st.integers(0, 25),
)
def test_what_is_kept_and_what_is_left_out_add_up(records: list[LogRecord], limit: int) -> None:
    sample, omitted = choose(records, limit)
    assert len(sample) == min(limit, len(records))
    assert len(sample) + omitted == len(records)
    missed = sum(map(is_important, records)) - sum(map(is_important, sample))
    assert missed == 0 or all(map(is_important, sample))
