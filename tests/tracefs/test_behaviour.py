"""What tracefs does when it is asked: held to the fake and to a kernel alike, so without tricks of either."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from kmsg_exporter.errors import FeatureUnavailable, TracefsRejected
from kmsg_exporter.tracefs import dynevent
from kmsg_exporter.tracefs.dynevent import Kprobe, Kretprobe, ProbeProfile
from kmsg_exporter.tracefs.files import Tracefs
from kmsg_exporter.tracefs.format import parse_format
from kmsg_exporter.tracefs.hist import Hist, remove_triggers
from kmsg_exporter.tracefs.hist_pair import TICKS, HistPair
from kmsg_exporter.tracefs.instance import BufferStats, Instance, remove_instance

GROUP = "kmsg_behaviour"
NAME = "kmsg_behaviour"
EXEC = "sched/sched_process_exec"
OPEN = Kprobe(GROUP, "kb_open", "devkmsg_open", ("comm=$comm",))
READ = Kretprobe(GROUP, "kb_read", "devkmsg_read", ("ret=$retval:s64", "comm=$comm"))
with_kprobes = pytest.mark.needs("kprobe_events")
with_hist = pytest.mark.needs("kprobe_events", f"events/{EXEC}/hist", "@jiffies_64")
with_function_tracer = pytest.mark.needs("set_ftrace_filter")


@pytest.fixture
def tracefs(make_tracefs: Callable[[], Tracefs]) -> Iterator[Tracefs]:
    tracefs = make_tracefs()
    yield tracefs
    remove_instance(tracefs, NAME)
    dynevent.undefine(tracefs, GROUP)


def instance_of(tracefs: Tracefs, *, overwrite: bool = False) -> Instance:
    return Instance(tracefs, NAME, buffer_size_kb=64, overwrite=overwrite)


def mark(instance: Instance, text: str) -> None:
    instance.set("options/markers", "1")
    instance.tracefs.write(f"{instance.path}/trace_marker", text)


def marks(instance: Instance) -> list[tuple[int, bytes]]:
    layout = parse_format(instance.tracefs.read("events/ftrace/print/format"))
    return [
        (time_ns, record[layout["buf"].offset :].split(b"\n")[0])
        for _cpu, page in instance.pages()
        for time_ns, record in page.records
        if int.from_bytes(record[:2], "little") == layout.id
    ]


def test_missing_file_is_a_missing_feature(tracefs: Tracefs) -> None:
    with pytest.raises(FeatureUnavailable, match=r"this kernel has no .*/nosuch_file"):
        tracefs.read("nosuch_file")
    with pytest.raises(FeatureUnavailable, match=r"no .*/nosuch_file for 'x'"):
        tracefs.write("nosuch_file", "x")
    assert not tracefs.exists("nosuch_file")
    assert tracefs.names("nosuch_folder") == []


def test_folders_list_what_is_in_them(tracefs: Tracefs) -> None:
    assert {"events", "instances", "per_cpu", "trace_clock"} <= set(tracefs.names("."))
    assert "cpu0" in tracefs.names("per_cpu")
    assert {"enable", "filter", "format"} <= set(tracefs.names(f"events/{EXEC}"))
    assert tracefs.exists(f"events/{EXEC}")


def test_lines_are_the_lines_of_read(tracefs: Tracefs) -> None:
    path = f"events/{EXEC}/format"
    assert "".join(tracefs.lines(path)) == tracefs.read(path)


@with_kprobes
def test_defined_kprobe_is_listed_as_it_was_written(tracefs: Tracefs) -> None:
    dynevent.define(tracefs, OPEN)
    dynevent.define(tracefs, READ)
    assert dynevent.defined(tracefs, GROUP) == {
        "kb_open": "p:kmsg_behaviour/kb_open devkmsg_open comm=$comm",
        "kb_read": "r256:kmsg_behaviour/kb_read devkmsg_read ret=$retval:s64 comm=$comm",
    }
    assert dynevent.defined(tracefs, "another_group") == {}


@with_kprobes
def test_removed_kprobe_is_no_longer_listed(tracefs: Tracefs) -> None:
    dynevent.define(tracefs, OPEN)
    dynevent.undefine(tracefs, GROUP)
    assert dynevent.defined(tracefs, GROUP) == {}
    assert not tracefs.exists(f"events/{GROUP}")


@with_kprobes
def test_same_kprobe_twice_is_refused(tracefs: Tracefs) -> None:
    dynevent.define(tracefs, OPEN)
    with pytest.raises(TracefsRejected, match="File exists") as refused:
        dynevent.define(tracefs, OPEN)
    assert refused.value.errno == errno.EEXIST


@with_kprobes
def test_kprobe_on_an_unknown_symbol_is_a_missing_feature(tracefs: Tracefs) -> None:
    with pytest.raises((FeatureUnavailable, TracefsRejected), match="p:kmsg_behaviour/kb_none no_such_function"):
        dynevent.define(tracefs, Kprobe(GROUP, "kb_none", "no_such_function"))
    assert dynevent.defined(tracefs, GROUP) == {}


@with_kprobes
@pytest.mark.parametrize(
    ("fetcharg", "reason"),
    [
        ("a=%nosuch", "Invalid register name"),
        ("a=$retval", r"\$retval is not available on probe"),
        ("a=+0(%sp):nosuch", "Unknown type is specified"),
    ],
)
def test_refused_fetcharg_tells_the_reason_of_the_error_log(tracefs: Tracefs, fetcharg: str, reason: str) -> None:
    with pytest.raises(TracefsRejected, match=rf"kprobe_events: '.*': Invalid argument \({reason}\)") as refused:
        dynevent.define(tracefs, Kprobe(GROUP, "kb_bad", "devkmsg_open", (fetcharg,)))
    assert refused.value.errno == errno.EINVAL


@with_kprobes
def test_kprobe_that_is_enabled_cannot_be_removed(tracefs: Tracefs) -> None:
    dynevent.define(tracefs, OPEN)
    with instance_of(tracefs) as instance:
        instance.enable(f"{GROUP}/kb_open")
        with pytest.raises(TracefsRejected) as refused:
            dynevent.undefine(tracefs, GROUP)
        assert refused.value.errno == errno.EBUSY
        instance.disable(f"{GROUP}/kb_open")
        dynevent.undefine(tracefs, GROUP)
        assert not tracefs.exists(f"{instance.path}/events/{GROUP}")


@with_kprobes
def test_removing_a_kprobe_that_was_enabled_empties_the_buffers_it_was_enabled_in(tracefs: Tracefs) -> None:
    dynevent.define(tracefs, OPEN)
    dynevent.define(tracefs, READ)
    with instance_of(tracefs) as instance:
        instance.enable(f"{GROUP}/kb_open")
        mark(instance, "before")
        tracefs.write("kprobe_events", f"-:{GROUP}/kb_read\n")
        instance.disable(f"{GROUP}/kb_open")
        assert [text for _time, text in marks(instance)] == [b"before"]
        mark(instance, "again")
        dynevent.undefine(tracefs, GROUP)
        assert marks(instance) == []


@with_kprobes
def test_kprobe_formats_place_the_fetchargs_one_after_the_other(tracefs: Tracefs) -> None:
    dynevent.define(tracefs, OPEN)
    dynevent.define(tracefs, READ)
    with instance_of(tracefs) as instance:
        opened = instance.format(f"{GROUP}/kb_open")
        returned = instance.format(f"{GROUP}/kb_read")
    assert (opened.name, opened["comm"].offset, opened["comm"].size, opened["comm"].kind) == (
        "kb_open",
        16,
        4,
        "data_loc",
    )
    assert (returned["ret"].offset, returned["ret"].size, returned["ret"].signed) == (24, 8, True)
    assert (returned["comm"].offset, returned["comm"].kind) == (32, "data_loc")
    assert opened.id != returned.id


@with_kprobes
def test_profile_of_a_probe_that_never_ran_is_zero(tracefs: Tracefs) -> None:
    dynevent.define(tracefs, OPEN)
    assert dynevent.profiles(tracefs)["kb_open"] == ProbeProfile(0, 0)


def test_new_instance_exists_until_it_is_left(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        assert instance.alive()
        assert not instance.taken_over
        assert NAME in tracefs.names("instances")
        assert len(instance.fds()) == len(tracefs.names("per_cpu"))
    assert NAME not in tracefs.names("instances")
    assert not instance.alive()


def test_instance_with_an_open_pipe_cannot_be_removed(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        assert instance.fds()
        with pytest.raises(TracefsRejected, match="rmdir") as refused:
            tracefs.remove(f"instances/{NAME}")
        assert refused.value.errno == errno.EBUSY


@with_function_tracer
def test_tracer_is_not_changed_while_a_pipe_is_open(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        instance.set("set_ftrace_filter", "devkmsg_open\n")  # so that no other function is patched
        instance.set("current_tracer", "function")
        instance.set("current_tracer", "nop")
        assert instance.fds()
        instance.set("current_tracer", "nop")
        with pytest.raises(TracefsRejected) as refused:
            instance.set("current_tracer", "function")
        assert refused.value.errno == errno.EBUSY


@with_function_tracer
def test_function_that_is_not_there_is_refused_when_its_line_has_an_end(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        instance.set("set_ftrace_filter", "no_such_function")
        with pytest.raises(TracefsRejected) as refused:
            instance.set("set_ftrace_filter", "no_such_function\n")
        assert refused.value.errno == errno.EINVAL


def test_removing_what_is_not_there_is_fine(tracefs: Tracefs) -> None:
    tracefs.remove("instances/kmsg_never_made")
    remove_instance(tracefs, "kmsg_never_made")


def test_instance_removes_its_leftovers_when_it_was_kept(tracefs: Tracefs) -> None:
    instance = instance_of(tracefs)
    with instance:
        instance.enable(EXEC)
        instance.close(keep=True)
        assert tracefs.exists(f"instances/{NAME}")
    assert not tracefs.exists(f"instances/{NAME}")


def test_instance_ticks_by_the_boot_clock_and_has_the_asked_size(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        assert "[boot]" in tracefs.read(f"{instance.path}/trace_clock")
        assert 64 <= int(tracefs.read(f"{instance.path}/buffer_size_kb").split()[0]) < 80


def test_instance_does_not_take_the_options_of_the_top_level(tracefs: Tracefs) -> None:
    before = tracefs.read("options/stacktrace").strip()
    tracefs.write("options/stacktrace", "1", truncate=True)
    try:
        with instance_of(tracefs, overwrite=True) as instance:
            assert tracefs.read(f"{instance.path}/options/stacktrace") == "0\n"
            assert tracefs.read(f"{instance.path}/options/overwrite") == "1\n"
        with instance_of(tracefs, overwrite=False) as instance:
            assert tracefs.read(f"{instance.path}/options/overwrite") == "0\n"
    finally:
        tracefs.write("options/stacktrace", before, truncate=True)


def test_enabled_event_is_enabled_in_its_instance_alone(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        assert not instance.is_enabled(EXEC)
        instance.enable(EXEC, event_filter="common_pid != 1")
        assert instance.is_enabled(EXEC)
        assert tracefs.read(f"{instance.path}/events/{EXEC}/filter") == "common_pid != 1\n"
        assert tracefs.read(f"{instance.path}/events/enable") == "X\n"
        instance.enable(EXEC)
        assert tracefs.read(f"{instance.path}/events/{EXEC}/filter") == "none\n"
        instance.disable(EXEC)
        assert not instance.is_enabled(EXEC)
        assert tracefs.read(f"{instance.path}/events/enable") == "0\n"


def test_event_that_is_not_there_is_neither_enabled_nor_an_error_to_disable(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        assert not instance.is_enabled("nosuch/event")
        instance.disable("nosuch/event")
        with pytest.raises(FeatureUnavailable):
            instance.enable("nosuch/event")
        with pytest.raises(FeatureUnavailable):
            instance.format("nosuch/event")


def test_refused_filter_tells_the_reason_of_the_instance(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance, pytest.raises(TracefsRejected, match=r"\(Field not found\)") as refused:
        instance.enable(EXEC, event_filter="nosuch == 1")
    assert refused.value.errno == errno.EINVAL


@pytest.mark.parametrize(
    ("file", "value"),
    [("current_tracer", "nosuch"), ("trace_clock", "nosuch"), ("buffer_size_kb", "0"), ("options/overwrite", "7")],
)
def test_nonsense_is_refused(tracefs: Tracefs, file: str, value: str) -> None:
    with instance_of(tracefs) as instance:
        with pytest.raises(TracefsRejected, match=f"{file}: '{value}'") as refused:
            instance.set(file, value)
        assert refused.value.errno == errno.EINVAL


def test_what_is_recorded_is_read_once_with_the_time_since_boot(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        mark(instance, "hello")
        after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        [(time_ns, text)] = marks(instance)
        assert text == b"hello"
        assert before <= time_ns <= after
        assert marks(instance) == []
        assert instance.stats() == BufferStats(0, 0, 0, 0)


def test_descriptor_of_an_idle_instance_would_block(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        for fd in instance.fds():
            with pytest.raises(BlockingIOError):
                os.read(fd, 4096)


def test_instance_taken_over_still_has_what_was_recorded(tracefs: Tracefs) -> None:
    earlier = instance_of(tracefs)
    earlier.__enter__()
    mark(earlier, "left")
    earlier.close(keep=True)
    with instance_of(tracefs) as instance:
        assert instance.taken_over
        mark(instance, "new")
        assert [text for _time, text in marks(instance)] == [b"left", b"new"]


def test_switched_off_instance_refuses_marks(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        with pytest.raises(TracefsRejected) as refused:
            tracefs.write(f"{instance.path}/trace_marker", "x")
        assert refused.value.errno == errno.EINVAL  # options/markers is off
        instance.set("options/markers", "1")
        instance.set("tracing_on", "0")
        with pytest.raises(TracefsRejected) as refused:
            tracefs.write(f"{instance.path}/trace_marker", "x")
        assert refused.value.errno == errno.EBADF


@with_hist
def test_histograms_that_count_in_turn_are_shown_as_they_were_written(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        event = counted_reads(instance)
        pair = HistPair(instance, event, Hist(("common_pid", "comm"), ("ret",), 128, "common_pid != 1 && ret > 0"))
        pair.attach()
        assert pair.attached()
        assert not instance.is_enabled(event)
        assert pair.read() == {}
        assert not pair.empty_resting(0)
        assert pair.attached()
        pair.attach()
        assert pair.attached()
        assert tracefs.read(f"{instance.path}/events/{event}/trigger").count("hist:") == 2
        instance.enable(event)
        assert instance.is_enabled(event)
        instance.disable(event)
        assert pair.attached()
        remove_triggers(tracefs, f"{instance.path}/events/{event}")
        assert not pair.attached()
        dynevent.undefine(tracefs, GROUP)


@with_hist
def test_probe_that_a_trigger_counts_cannot_be_removed_before_its_instance(tracefs: Tracefs) -> None:
    with instance_of(tracefs) as instance:
        HistPair(instance, counted_reads(instance), Hist(("common_pid",), (), 128, "ret > 0")).attach()
        with pytest.raises(TracefsRejected) as refusal:
            dynevent.undefine(tracefs, GROUP)
        assert refusal.value.errno == errno.EBUSY
    dynevent.undefine(tracefs, GROUP)
    assert dynevent.defined(tracefs, GROUP) == {}


@with_hist
@pytest.mark.parametrize(("key", "size"), [("nosuch", 128), ("common_pid", 64)])
def test_refused_histogram_is_told(tracefs: Tracefs, key: str, size: int) -> None:
    with instance_of(tracefs) as instance:
        pair = HistPair(instance, counted_reads(instance), Hist((key,), (), size, "ret > 0"))
        with pytest.raises(TracefsRejected, match="Invalid argument"):
            pair.attach()
        assert not pair.attached()


def counted_reads(instance: Instance) -> str:
    """A probe whose calls a pair of histograms can count; its event."""
    dynevent.define(instance.tracefs, replace(READ, fetchargs=(*READ.fetchargs, TICKS)))
    return f"{GROUP}/{READ.name}"
