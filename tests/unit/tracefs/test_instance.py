"""Instances: statistics, loss, and what happens when somebody else takes one away."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from fake_tracefs import FakeTracefs, Kernel, data, page
from hypothesis import example, given
from hypothesis import strategies as st

from kmsg_exporter.errors import DecodeError, FeatureUnavailable, TracefsRejected
from kmsg_exporter.tracefs.instance import BufferStats, Instance, parse_stats, remove_instance

STATS = """\
entries: 129
overrun: 812
commit overrun: 3
bytes: 10196
oldest event ts:  2449.102030
now ts:  2453.009878
dropped events: 4
read events: 77
"""
EXEC = "sched/sched_process_exec"


def exec_of(fake: FakeTracefs, pid: int, time_ns: int, cpu: int = 0) -> None:
    fake.emit(EXEC, {"pid": pid, "filename": b"/bin/true"}, tid=pid, time_ns=time_ns, cpu=cpu)


def recorded(instance: Instance) -> list[tuple[int, int, int | None]]:
    return [(cpu, time_ns, page.lost) for cpu, page in instance.pages() for time_ns, _record in page.records]


def test_stats_of_one_cpu() -> None:
    stats = parse_stats(STATS)
    assert stats == BufferStats(entries=129, overrun=812, commit_overrun=3, dropped=4)
    assert stats.lost == 819


def test_stats_without_their_lines_are_zero() -> None:
    assert parse_stats("") == BufferStats(0, 0, 0, 0)


@given(st.text(max_size=120))
@example("overrun: ²\n")
@example("overrun: " + "9" * 5000 + "\n")
def test_any_text_is_statistics(text: str) -> None:
    assert parse_stats(text).lost >= 0


def test_stats_of_all_cpus_are_summed(make_fake: Callable[[Kernel], FakeTracefs]) -> None:
    fake = make_fake(Kernel(cpus=3))
    with Instance(fake, "a", buffer_size_kb=64, overwrite=False) as instance:
        fake.lose("a", cpu=0, overrun=2, dropped=1)
        fake.lose("a", cpu=2, overrun=40)
        assert instance.stats() == BufferStats(0, 42, 0, 1)


def test_pages_tell_their_cpu(fake: FakeTracefs) -> None:
    with Instance(fake, "a", buffer_size_kb=64, overwrite=False) as instance:
        instance.enable(EXEC)
        exec_of(fake, 7, 1000, cpu=1)
        exec_of(fake, 8, 1001, cpu=0)
        assert recorded(instance) == [(0, 1001, 0), (1, 1000, 0)]
        assert recorded(instance) == []


def test_filter_keeps_records_out(fake: FakeTracefs) -> None:
    with Instance(fake, "a", buffer_size_kb=64, overwrite=False) as instance:
        instance.enable(EXEC, event_filter='common_pid != 7 && !(filename == "/bin/false")')
        exec_of(fake, 7, 1000)
        exec_of(fake, 8, 1001)
        assert recorded(instance) == [(0, 1001, 0)]


def test_full_overwriting_buffer_keeps_the_newest_and_marks_the_gap(fake: FakeTracefs) -> None:
    with Instance(fake, "a", buffer_size_kb=64, overwrite=True) as instance:
        instance.enable(EXEC)
        for number in range(70):
            exec_of(fake, 7, 1000 + number)
        kept = recorded(instance)
        assert kept[0] == (0, 1006, None)
        assert kept[-1] == (0, 1069, 0)
        assert instance.stats().overrun == 6


def test_reading_ends_where_records_are_made_faster_than_they_are_read(fake: FakeTracefs) -> None:
    with Instance(fake, "mine", buffer_size_kb=8, overwrite=False) as instance:
        read = []
        for number in (0, 1):
            fake.put("mine", number, page(1))
        for cpu, _ in instance.raw_pages(most=3):
            fake.put("mine", cpu, page(1))
            read.append(cpu)
    assert read == [0, 0, 0, 1, 1, 1]


def test_full_buffer_that_does_not_overwrite_keeps_the_oldest(fake: FakeTracefs) -> None:
    with Instance(fake, "a", buffer_size_kb=64, overwrite=False) as instance:
        instance.enable(EXEC)
        for number in range(70):
            exec_of(fake, 7, 1000 + number)
        kept = recorded(instance)
        assert (kept[0], kept[-1]) == ((0, 1000, 0), (0, 1063, 0))
        assert instance.stats().dropped == 6


def test_page_that_is_none_is_a_decode_error(fake: FakeTracefs) -> None:
    with Instance(fake, "a", buffer_size_kb=64, overwrite=False) as instance:
        fake.put("a", 0, b"\xff" * 64)
        fake.put("a", 1, page(5, data(1, b"good")))
        raw = [raw for _cpu, raw in instance.raw_pages()]
        with pytest.raises(DecodeError):
            instance.decode(raw[0])
        assert instance.decode(raw[1]).records == ((6, b"good"),)


def test_instance_that_is_not_open_decodes_nothing(fake: FakeTracefs) -> None:
    with pytest.raises(FeatureUnavailable, match="instance a is not open"):
        Instance(fake, "a", buffer_size_kb=64, overwrite=False).decode(bytes(4096))


def test_failed_start_removes_the_instance(fake: FakeTracefs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instance, "_subbuffer_bytes", lambda _: int("no number"))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError), Instance(fake, "a", buffer_size_kb=64, overwrite=False):
        pass
    assert fake.names("instances") == []
    assert len(os.listdir("/proc/self/fd")) <= before


def test_leaving_switches_off_what_was_on(fake: FakeTracefs) -> None:
    with Instance(fake, "a", buffer_size_kb=64, overwrite=False) as instance:
        instance.enable(EXEC)
        instance.set("set_ftrace_filter", "kmsg_open\n")
        instance.set("current_tracer", "function")
        assert fake.read("enabled_functions").startswith("kmsg_open ")
    assert fake.read("enabled_functions") == ""


def test_instance_that_stays_busy_is_refused(fake: FakeTracefs) -> None:
    fake.make("instances/a")
    fd = fake.open("instances/a/per_cpu/cpu0/trace_pipe_raw")
    try:
        with pytest.raises(TracefsRejected, match="Device or resource busy"):
            remove_instance(fake, "a")
    finally:
        os.close(fd)
    remove_instance(fake, "a")
    assert fake.names("instances") == []
