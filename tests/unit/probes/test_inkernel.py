"""Reads that the kernel counts, and clears whose records were lost: all are told, each once, under who made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

import pytest
from attaching import Attach
from fake_tracefs import FakeTracefs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmsg_exporter.errors import DecodeError, FeatureUnavailable
from kmsg_exporter.model import Access
from kmsg_exporter.probes import inkernel, pairing
from kmsg_exporter.probes.backend import Backend
from kmsg_exporter.tracefs.hist_pair import TURN, HistPair

URGENT = "kmsg_exporter"
FIRST = 1 << 23  # more than any thread here has: its own are left out


@pytest.fixture(autouse=True)
def every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare at every drain, not every few seconds."""
    monkeypatch.setattr(inkernel, "_COMPARE_SECONDS", 0.0)
    monkeypatch.setattr(inkernel, "_EMPTY_SECONDS", 0.0)


def clears(backend: Backend, *, bulk: bool = True) -> Counter[tuple[int | None, str]]:
    """How often each thread cleared, by records and by what was counted beside them."""
    found: Counter[tuple[int | None, str]] = Counter()
    for call in drained(backend, bulk=bulk):
        if call.action in ("clear", "read_clear") and call.result is not None and call.result >= 0:
            found[call.tid, call.action] += 1
    for one in backend.counted():
        found[one.tid, one.action] += one.calls
    return found


def drained(backend: Backend, *, bulk: bool) -> list[Access]:
    """All there is: what one drain has left comes with the next."""
    calls = backend.drain(bulk=bulk)
    while backend.behind():
        calls += backend.drain(bulk=bulk)
    return calls


def lose_records(fake: FakeTracefs, count: int) -> None:
    """Throw away all that was recorded, as a buffer that is full does."""
    array = fake.instance(URGENT)
    for buffer in array.buffers:
        buffer.take()
    fake.lose(URGENT, dropped=count)


def test_reads_and_writes_are_counted_with_their_bytes(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    fake.call("devkmsg_read", tid=9, comm=b"cat", ret=80)
    fake.call("devkmsg_read", tid=9, comm=b"cat", ret=20)
    fake.call("devkmsg_read", tid=9, comm=b"cat", ret=-11)
    fake.call("kmsg_read", tid=10, comm=b"rsyslogd", ret=7)
    fake.call("devkmsg_write", tid=11, comm=b"systemd", ret=12)
    assert [call.operation for call in backend.drain(bulk=True)] == []
    told = backend.counted()
    assert [(one.tid, one.comm, one.interface, one.operation, one.action, one.calls, one.nbytes) for one in told] == [
        (9, b"cat", "dev_kmsg", "read", "read", 2, 100),
        (11, b"systemd", "dev_kmsg", "write", "write", 1, 12),
        (10, b"rsyslogd", "proc_kmsg", "read", "read", 1, 7),
    ]
    assert all(one.since_ns <= one.until_ns for one in told)
    assert backend.counted() == []


def test_own_reads_are_not_counted(fake: FakeTracefs, attach: Attach, own_tid: int) -> None:
    backend = attach(fake).backend
    fake.call("devkmsg_read", tid=own_tid, comm=b"kmsg-exporter", ret=80)
    assert backend.counted() == []


def test_reads_wake_nobody_and_are_no_records(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    for _ in range(100):
        fake.call("devkmsg_read", tid=9, comm=b"cat", ret=80)
    assert list(fake.instance("kmsg_exporter_bulk").buffers[0].take()) == []
    [one] = backend.counted()
    assert one.calls == 100


def test_map_that_fills_is_emptied_while_the_other_counts(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    told = 0
    for turn in range(6):
        fake.ticks = turn * TURN + 100
        for tid in range(700):  # a map has room for 1024
            fake.call("devkmsg_read", tid=FIRST + 1000 * turn + tid, comm=b"cat", ret=1)
        told += sum(one.calls for one in backend.counted())
    assert told == 6 * 700
    assert backend.lost_events() == 0


@pytest.mark.parametrize("fault", [DecodeError("no page"), FeatureUnavailable("torn away"), OSError("anything else")])
def test_what_was_counted_is_told_although_something_failed_after_it(
    fake: FakeTracefs, attach: Attach, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    backend = attach(fake).backend
    for number in range(5):
        fake.call("devkmsg_read", tid=9, comm=b"cat", ret=number + 1)
        fake.call("kmsg_read", tid=10, comm=b"rsyslogd", ret=number + 1)
    told: Counter[int | None] = Counter()
    with failing(fake, monkeypatch, "ke_kmsg_read/hist", fault):
        told += counted(backend)
    fake.call("devkmsg_read", tid=9, comm=b"cat", ret=1)
    told += counted(backend)
    assert told == {9: 6, 10: 5}


@pytest.mark.parametrize("fault", [DecodeError("no format"), FeatureUnavailable("torn away"), OSError("anything else")])
def test_what_was_counted_is_told_although_the_ticks_could_not_be_asked(
    fake: FakeTracefs, attach: Attach, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    backend = attach(fake).backend
    for tid in range(FIRST, FIRST + 700):
        fake.call("devkmsg_read", tid=tid, comm=b"cat", ret=1)
    with failing(fake, monkeypatch, "ke_calibrate/format", fault):
        told = counted(backend)
    assert (told + counted(backend)).total() == 700


@contextmanager
def failing(
    fake: FakeTracefs, monkeypatch: pytest.MonkeyPatch, file: str, fault: Exception, *, after: int = 0
) -> Iterator[None]:
    """A file that can't be read, but for the first so many times."""
    read = fake.read
    times = count()

    def failing_read(path: str) -> str:
        if path.endswith(file) and next(times) >= after:
            raise fault
        return read(path)

    with monkeypatch.context() as patch:
        patch.setattr(fake, "read", failing_read)
        yield


@pytest.mark.parametrize(("late_ticks", "lost"), [(0, 0), (TURN - 101, 0), (TURN - 100, 1), (1 << 30, 1)])
def test_map_that_was_emptied_when_it_may_have_counted_again_is_a_loss(
    fake: FakeTracefs, attach: Attach, monkeypatch: pytest.MonkeyPatch, late_ticks: int, lost: int
) -> None:
    backend = attach(fake).backend
    for tid in range(FIRST, FIRST + 700):
        fake.call("devkmsg_read", tid=tid, comm=b"cat", ret=1)
    empty_resting = HistPair.empty_resting

    def late(pair: HistPair, ticks: int) -> bool:
        fake.ticks += late_ticks
        return empty_resting(pair, ticks)

    monkeypatch.setattr(HistPair, "empty_resting", late)
    fake.ticks = TURN + 100
    assert counted(backend).total() == 700
    assert backend.lost_events() == lost


def counted(backend: Backend) -> Counter[int | None]:
    """What the kernel counted, by thread; nothing where it raised what the agent's loop catches."""
    found: Counter[int | None] = Counter()
    with suppress(OSError):
        for one in backend.counted():
            found[one.tid] += one.calls
    return found


def test_clear_without_a_record_is_counted_under_its_thread(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    fake.syslog(5, tid=7, comm=b"dmesg")
    assert clears(backend) == {(7, "clear"): 1}
    fake.syslog(5, tid=7, comm=b"dmesg")
    fake.syslog(5, tid=8, comm=b"other")
    fake.syslog(4, tid=8, comm=b"other", length=4096, ret=10)
    lose_records(fake, 6)
    assert clears(backend) + clears(backend) == {(7, "clear"): 1, (8, "clear"): 1, (8, "read_clear"): 1}
    assert backend.lost_events() == 6


def test_clear_by_the_32_bit_abi_is_not_lost_either(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    fake.syslog(5, tid=7, comm=b"dmesg", compat=True)
    lose_records(fake, 2)
    assert clears(backend) == {(7, "clear"): 1}


def test_what_was_refused_unseen_is_no_clear(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    fake.syslog(5, tid=7, comm=b"nobody", ret=-1)
    fake.syslog(4, tid=8, comm=b"empty", length=0)
    lose_records(fake, 4)
    assert clears(backend) + clears(backend) == {}


def test_more_threads_than_a_map_holds_are_one_sum(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    for tid in range(FIRST, FIRST + 1000):  # a map has room for 512
        fake.syslog(5, tid=tid, comm=b"dmesg")
    lose_records(fake, 2000)
    told = clears(backend) + clears(backend)
    assert told.total() == 1000
    assert told[None, "unknown"] == 488


def test_lost_clears_are_told_although_something_failed_after_they_were_found(
    fake: FakeTracefs, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = attach(fake).backend
    for tid in range(FIRST, FIRST + 1000):
        fake.syslog(5, tid=tid, comm=b"dmesg")
    lose_records(fake, 2000)
    with failing(fake, monkeypatch, "ke_syslog32_enter/hist", DecodeError("damaged"), after=1):
        told = clears(backend)
    told += clears(backend) + clears(backend)
    assert told.total() == 1000
    assert told[None, "unknown"] == 488


def test_clear_whose_return_alone_was_lost_is_counted_once(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    lose_return(fake, backend, tid=7)
    assert clears(backend) == {}
    fake.syslog(5, tid=7, comm=b"dmesg")
    assert clears(backend) + clears(backend) == {(7, "clear"): 2}


@pytest.mark.parametrize("bulk", [True, False], ids=["at a tick", "woken"])
def test_last_clear_of_a_thread_is_counted_though_its_return_was_lost(
    fake: FakeTracefs, attach: Attach, monkeypatch: pytest.MonkeyPatch, *, bulk: bool
) -> None:
    backend = attach(fake).backend
    lose_return(fake, backend, tid=7)
    monkeypatch.setattr(pairing, "_CLEAR_TAKES_NS", 0)
    assert clears(backend, bulk=bulk) + clears(backend) == {(7, "clear"): 1}


def test_last_call_of_a_thread_that_was_refused_unseen_is_no_clear(
    fake: FakeTracefs, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = attach(fake).backend
    lose_return(fake, backend, tid=7, ret=-1)
    monkeypatch.setattr(pairing, "_CLEAR_TAKES_NS", 0)
    assert clears(backend) + clears(backend) == {}


def test_records_of_an_earlier_life_hide_no_loss(fake: FakeTracefs, attach: Attach) -> None:
    attach(fake).close(keep=True)
    fake.syslog(5, tid=7, comm=b"dmesg")
    backend = attach(fake).backend
    assert clears(backend) == {(7, "clear"): 1}
    fake.syslog(5, tid=7, comm=b"dmesg")
    lose_records(fake, 2)
    assert clears(backend) == {(7, "clear"): 1}


def lose_return(fake: FakeTracefs, backend: Backend, *, tid: int, ret: int = 0) -> None:
    """A clear whose entry is read, and whose return finds no room."""
    fake.syslog(5, tid=tid, comm=b"c", ret=None)
    assert [call for call in drained(backend, bulk=True) if call.tid == tid] == []
    fake.leave(next(name for name in fake.kernel.symbols if name.lower().endswith("sys_syslog")), tid=tid, ret=ret)
    lose_records(fake, 1)


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("clear"), st.integers(1, 4)),
        st.tuples(st.just("denied"), st.integers(5, 6)),
        st.tuples(st.just("half"), st.integers(1, 4)),
        st.tuples(st.sampled_from(["lose", "drain", "wake"]), st.just(0)),
        st.tuples(st.just("ticks"), st.integers(1, TURN)),
    ),
    max_size=40,
)


@given(deeds=DEEDS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_lost_the_sum_by_thread_is_exact(attach: Attach, deeds: list[tuple[str, int]]) -> None:
    fake = FakeTracefs()
    backend = attach(fake).backend
    made: Counter[tuple[int | None, str]] = Counter()
    told: Counter[tuple[int | None, str]] = Counter()
    waiting = 0
    ends = [("clear", tid) for tid in range(1, 5)]  # what comes next shows that the return before was lost
    for what, value in [*deeds, ("lose", 0), ("drain", 0), *ends, ("drain", 0), ("drain", 0)]:
        if what == "clear":
            fake.syslog(5, tid=value, comm=b"c")
            made[value, "clear"] += 1
            waiting += 2
        elif what == "denied":
            fake.syslog(5, tid=value, comm=b"c", ret=-1)
            waiting += 2
        elif what == "half":
            told += clears(backend)
            lose_return(fake, backend, tid=value)
            made[value, "clear"] += 1
            waiting = 0
        elif what == "lose":
            if waiting:
                lose_records(fake, waiting)
            waiting = 0
        elif what == "ticks":
            fake.ticks += value
        else:
            told += clears(backend, bulk=what == "drain")
            waiting = 0
            assert all(told[key] <= made[key] for key in told)
    assert told == made
    fake.close()
