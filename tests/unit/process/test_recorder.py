"""The flight recorder: what it tells of a life, and what it does not trust."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest
from fake_past import Past
from fake_tracefs import FORMATS, FakeTracefs, Kernel, data, page, record
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kmsg_exporter.process.history import HeldPage, Record
from kmsg_exporter.process.recorder import RENAME, Exec, FlightRecorder, Fork, Life
from kmsg_exporter.tracefs.format import parse_format
from kmsg_exporter.tracefs.instance import Instance

EXEC = parse_format((FORMATS / "sched" / "sched_process_exec").read_text())
FOREVER = 1 << 62


def life(past: Past, tid: int, time_ns: int = FOREVER) -> Life:
    past.recorder.refresh()
    return past.recorder.life(tid, time_ns)


def test_life_is_fork_execs_name_and_cgroup(past: Past) -> None:
    past.fork(100, parent=7, child=42, comm=b"bash")
    past.move(110, 42, b"/system.slice/cron.service")
    past.exec(120, 42, b"/usr/bin/env")
    past.exec(130, 42, b"/usr/bin/dmesg")
    past.rename(140, 42, b"renamed")
    assert life(past, 42) == Life(
        fork=Fork(100, 7, "bash", thread=False, sibling=False),
        execs=(Exec(120, "/usr/bin/env"), Exec(130, "/usr/bin/dmesg")),
        comm="renamed",
        cgroup="/system.slice/cron.service",
    )


def test_life_of_somebody_never_seen_is_empty(past: Past) -> None:
    past.exec(100, 42, b"/usr/bin/dmesg")
    assert life(past, 43) == Life()


def test_what_happened_later_is_not_told_but_a_later_exec_is_known(past: Past) -> None:
    past.fork(100, parent=7, child=42)
    past.exec(120, 42, b"/bin/first")
    past.exec(200, 42, b"/bin/second")
    past.rename(210, 42, b"third")
    assert life(past, 42, 150) == Life(
        Fork(100, 7, "bash", thread=False, sibling=False), (Exec(120, "/bin/first"),), "first", execs_later=True
    )


def test_used_again_id_is_a_new_life(past: Past) -> None:
    past.fork(100, parent=7, child=42)
    past.move(105, 42, b"/old")
    past.exec(110, 42, b"/bin/old")
    past.fork(500, parent=8, child=42, comm=b"sh")
    past.exec(510, 42, b"/bin/new")
    assert life(past, 42, 600) == Life(Fork(500, 8, "sh", thread=False, sibling=False), (Exec(510, "/bin/new"),), "new")
    assert life(past, 42, 300) == Life(
        Fork(100, 7, "bash", thread=False, sibling=False), (Exec(110, "/bin/old"),), "old", "/old", reused=True
    )


def test_name_that_no_exec_came_with_is_told(past: Past) -> None:
    past.fork(100, parent=7, child=42)
    assert not life(past, 42, 110).renamed
    past.rename(120, 42, b"worker")
    assert life(past, 42, 130).renamed
    past.exec(140, 42, b"/bin/x")
    past.rename(150, 42, b"again")
    assert not life(past, 42).renamed


def test_thread_and_sibling_are_told_from_a_child(past: Past) -> None:
    past.fork(100, parent=7, child=42, thread=True)
    past.fork(101, parent=7, child=43, sibling=True)
    assert life(past, 42).fork == Fork(100, 7, "bash", thread=True, sibling=False)
    assert life(past, 43).fork == Fork(101, 7, "bash", thread=False, sibling=True)


def test_records_of_all_cpus_are_put_in_order(past: Past) -> None:
    past.exec(200, 42, b"/bin/second", cpu=0)
    past.exec(100, 42, b"/bin/first", cpu=1)
    assert [one.filename for one in life(past, 42).execs] == ["/bin/first", "/bin/second"]


def test_records_are_kept_over_readings(past: Past) -> None:
    past.exec(100, 42, b"/bin/first")
    past.recorder.refresh()
    past.recorder.refresh()
    assert life(past, 42).execs == (Exec(100, "/bin/first"),)


def test_name_is_the_newest_that_was_given_on_any_cpu(past: Past) -> None:
    past.fork(100, parent=7, child=42, comm=b"born")
    past.rename(110, 42, b"first", cpu=1)
    past.rename(120, 42, b"second", cpu=0)
    past.rename(130, 42, b"third", cpu=1)
    assert [life(past, 42, when).comm for when in (100, 115, 125, 999)] == ["born", "first", "second", "third"]


def test_name_that_was_never_given_is_the_one_that_was_given_up(past: Past) -> None:
    past.fake.emit(RENAME, {"pid": 42, "oldcomm": b"second", "newcomm": b"third"}, tid=42, time_ns=130, cpu=0)
    past.fake.emit(RENAME, {"pid": 42, "oldcomm": b"first", "newcomm": b"second"}, tid=42, time_ns=120, cpu=1)
    assert [life(past, 42, when).comm for when in (100, 125, 999)] == ["first", "second", "third"]


def test_life_up_to_a_moment_before_the_newest_gap_is_not_complete(past: Past) -> None:
    past.fake.put("recorder", 1, page(200, lost=1))
    assert [life(past, 42, when).complete for when in (199, 200)] == [False, True]


def test_what_was_done_before_the_start_is_known_in_an_instance_that_was_taken_over_alone(fake: FakeTracefs) -> None:
    known = []
    for _ in range(2):
        instance = Instance(fake, "recorder", buffer_size_kb=64, overwrite=True)
        instance.__enter__()
        recorder = FlightRecorder(instance, boot_ns=lambda: 1000)
        recorder.start()
        known.append(recorder.life(42, 999).complete)
        instance.close(keep=True)
    assert known == [False, True]


def test_what_an_earlier_life_had_taken_with_it_is_not_taken_for_complete(fake: FakeTracefs) -> None:
    first = Instance(fake, "recorder", buffer_size_kb=64, overwrite=True)
    first.__enter__()
    first.close(keep=True)
    taken: list[int] = []
    with Instance(fake, "recorder", buffer_size_kb=64, overwrite=True) as instance:
        recorder = FlightRecorder(instance, boot_ns=lambda: 4000, on_read=taken.append)
        recorder.start(taken_ns=3000)
        assert not recorder.life(1, 2999).complete
        assert recorder.life(1, 3000).complete
        recorder.refresh()
        assert taken == [4000]


def test_name_from_before_a_gap_is_not_told(past: Past) -> None:
    past.rename(110, 42, b"before")
    past.fake.put("recorder", 1, page(200, lost=1))
    assert life(past, 42).comm is None


def test_newest_of_all_cpus_are_kept_whichever_is_read_first(past: Past) -> None:
    """A machine with many CPUs holds more in its buffers than is kept of them."""
    recorder = FlightRecorder(past.recorder._instance, history_bytes=64 << 10, boot_ns=lambda: 0)
    recorder.start()
    past.exec(1_000_000, 42, b"/usr/bin/dmesg", cpu=0)
    for number in range(64):
        filler = record(EXEC, 7, {"pid": 7, "filename": b"/bin/" + b"x" * 2000})
        past.fake.put("recorder", 1, page(1000 * number, data(0, filler), data(1, filler)))
    recorder.refresh()
    assert recorder.life(42, FOREVER).execs == (Exec(1_000_000, "/usr/bin/dmesg"),)
    assert recorder.life(7, FOREVER).execs[-1].time_ns == 63_001


def test_many_small_readings_are_held_within_the_bound(past: Past) -> None:
    recorder = FlightRecorder(past.recorder._instance, history_bytes=32 << 10, boot_ns=lambda: 0)
    recorder.start()
    for number in range(1000):
        past.rename(100 + number, 42, b"n%d" % number)
        recorder.refresh()
        assert recorder.life(42, FOREVER).comm == f"n{number}"
    assert recorder._history._held_bytes <= 32 << 10
    pages = recorder._history.about(42)
    assert 0 < len(pages) < 32
    assert sum(len(held.raws) for held in pages) > 100


def test_who_changes_all_the_time_is_told_by_the_newest_page_alone(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        past.fake.put("recorder", 0, page(1000 + number, *rename_page(42)))
    past.recorder.refresh()
    assert past.recorder.life(42, FOREVER).comm == "again"
    history = past.recorder._history
    looked: set[HeldPage] = set()
    read = history.records

    def records(page: HeldPage) -> list[Record]:
        looked.add(page)
        return read(page)

    monkeypatch.setattr(history, "records", records)
    assert len(history.about(42)) == 60
    assert past.recorder.changed(42, 500)
    assert past.recorder.changes(42, 500, FOREVER) is None
    assert len(looked) < 10


def rename_page(tid: int) -> list[bytes]:
    """As many renames as fill a page."""
    layout = parse_format((FORMATS / "task" / "task_rename").read_text())
    return [data(0, record(layout, tid, {"pid": tid, "newcomm": b"again"}))] * 70


def test_batch_of_calls_takes_one_reading(past: Past) -> None:
    now = 0
    recorder = FlightRecorder(past.recorder._instance, boot_ns=lambda: now)
    recorder.start()
    now = 1000
    recorder.catch_up(900)
    past.exec(800, 42, b"/usr/bin/dmesg")
    recorder.catch_up(999)
    assert recorder.life(42, FOREVER) == Life()
    recorder.catch_up(1000)
    assert recorder.life(42, FOREVER).execs == (Exec(800, "/usr/bin/dmesg"),)


def test_bytes_that_are_not_utf8_are_replaced(past: Past) -> None:
    past.exec(100, 42, b"/bin/\xff")
    assert life(past, 42).execs == (Exec(100, "/bin/\ufffd"),)


@pytest.mark.parametrize("lost", [None, 3])
@pytest.mark.parametrize("cpu", [0, 1])
def test_records_before_a_gap_on_any_cpu_are_not_trusted(past: Past, cpu: int, lost: int | None) -> None:
    past.exec(100, 42, b"/bin/before", cpu=0)
    past.fake.put("recorder", cpu, page(200, lost=lost))
    past.exec(300, 43, b"/bin/after", cpu=0)
    assert life(past, 42) == Life()
    assert life(past, 43).execs == (Exec(300, "/bin/after"),)


def test_page_that_can_not_be_read_is_a_gap_up_to_the_next_one_of_its_cpu(past: Past) -> None:
    past.exec(100, 42, b"/bin/before", cpu=0)
    past.fake.put("recorder", 1, b"\xff" * 64)
    past.exec(300, 43, b"/bin/after", cpu=1)
    assert life(past, 42) == Life()
    assert life(past, 43).execs == (Exec(300, "/bin/after"),)


def test_record_that_is_cut_off_leaves_nothing_known_of_its_thread(past: Past) -> None:
    past.fork(100, parent=7, child=42, comm=b"bash")
    past.fork(101, parent=7, child=43, comm=b"bash")
    whole = record(EXEC, 42, {"pid": 42, "filename": b"/usr/bin/dmesg"})
    past.fake.put("recorder", 0, page(110, data(0, whole[:20])))
    assert life(past, 42) == Life(complete=False)
    assert life(past, 43).comm == "bash"


def test_printed_lines_are_told_by_time(past: Past) -> None:
    past.printed(300, b"third", cpu=0)
    past.printed(100, b"first", cpu=1)
    past.printed(200, b"second \xff", cpu=1)
    past.recorder.refresh()
    assert past.recorder.console(0, FOREVER) == ["first", "second \ufffd", "third"]
    assert past.recorder.console(100, 200) == ["second \ufffd"]


def test_kernel_tells_whether_something_was_printed(past: Past) -> None:
    past.printed(200, b"line")
    past.exec(300, 42, b"/bin/x")
    past.recorder.refresh()
    past.printed(250, b"another", cpu=1)
    past.recorder.refresh()
    assert [past.recorder.printed(*span) for span in ((100, 200), (200, 400), (100, 400), (250, 400))] == [1, 1, 2, 0]


def test_kernel_that_does_not_say_who_is_renamed_is_read(make_fake: Callable[[Kernel], FakeTracefs]) -> None:
    """task_rename as in Linux from e3f6a42272e0 until it was put back."""
    pid = "\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n"
    text = (FORMATS / "task" / "task_rename").read_text().replace(pid, "")
    for old, new in ((12, 8), (28, 24), (44, 40)):
        text = text.replace(f"offset:{old};", f"offset:{new};")
    fake = make_fake(Kernel(formats={RENAME: text}))
    with Instance(fake, "recorder", buffer_size_kb=64, overwrite=True) as instance:
        past = Past(fake, FlightRecorder(instance, boot_ns=lambda: 0))
        past.recorder.start()
        past.fork(100, parent=7, child=42)
        fake.emit(RENAME, {"newcomm": b"dmesg"}, tid=42, time_ns=119)
        fake.emit("sched/sched_process_exec", {"pid": 42, "filename": b"/usr/bin/dmesg"}, tid=42, time_ns=120)
        assert past.recorder.refused == {}
        found = life(past, 42)
        assert (found.comm, found.execs) == ("dmesg", (Exec(120, "/usr/bin/dmesg"),))


def test_event_that_is_not_there_is_told_and_the_rest_is_recorded(make_fake: Callable[[Kernel], FakeTracefs]) -> None:
    fake = make_fake(Kernel(without_events=("printk/console", "cgroup/cgroup_attach_task")))
    with Instance(fake, "recorder", buffer_size_kb=64, overwrite=True) as instance:
        recorder = FlightRecorder(instance, boot_ns=lambda: 0)
        recorder.start()
        assert list(recorder.refused) == ["cgroup/cgroup_attach_task", "printk/console"]
        past = Past(fake, recorder)
        past.exec(100, 42, b"/bin/x")
        assert life(past, 42).execs == (Exec(100, "/bin/x"),)


@dataclass(frozen=True)
class Batch:
    """One page of execs of one thread; the times of its records lie after those of the page before on its CPU."""

    cpu: int
    times: tuple[int, ...]


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    last = {0: 0, 1: 0}
    found = []
    for cpu, steps in draw(
        st.lists(st.tuples(st.sampled_from([0, 1]), st.lists(st.integers(1, 50), min_size=1, max_size=4)), max_size=12)
    ):
        times = []
        for one in steps:
            last[cpu] += one
            times.append(2 * last[cpu] + cpu)  # no two at once
        found.append(Batch(cpu, tuple(times)))
    return found


def recorded(pages: Iterable[Batch], *, history_bytes: int) -> tuple[Exec, ...]:
    fake = FakeTracefs()
    try:
        with Instance(fake, "recorder", buffer_size_kb=64, overwrite=True) as instance:
            recorder = FlightRecorder(instance, history_bytes=history_bytes, boot_ns=lambda: 0)
            recorder.start()
            for one in pages:
                before, parts = one.times[0], []
                for when in one.times:
                    raw = record(EXEC, 42, {"pid": 42, "filename": b"/bin/%d" % when})
                    parts.append(data(when - before, raw))
                    before = when
                fake.put("recorder", one.cpu, page(one.times[0], *parts))
                recorder.refresh()
            return recorder.life(42, FOREVER).execs
    finally:
        fake.close()


@given(pages=batches(), history_bytes=st.integers(0, 800))
@example(pages=[Batch(cpu=1, times=(3,)), Batch(cpu=0, times=(2,))], history_bytes=52)
@settings(max_examples=60, deadline=None)
def test_what_fell_out_of_the_history_takes_what_is_older_with_it(pages: list[Batch], history_bytes: int) -> None:
    everything = recorded(pages, history_bytes=1 << 20)
    assert [one.time_ns for one in everything] == sorted(when for one in pages for when in one.times)
    kept = recorded(pages, history_bytes=history_bytes)
    assert kept == everything[len(everything) - len(kept) :]


def test_newest_name_is_told_also_where_pages_were_asked_for_something_else_first(past: Past) -> None:
    past.fork(100, 7, 42)
    for number in range(300):
        past.rename(200 + number, 42, b"name-%d" % number)
        if number % 30 == 29:
            past.recorder.refresh()
    assert past.recorder.printed(0, 1000) == 0
    assert [past.recorder.life(42, 200 + number).comm for number in (0, 150, 299)] == ["name-0", "name-150", "name-299"]
