"""Entry and return of a call: brought together by thread, however they lie over CPUs and readings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from fake_tracefs import FakeTracefs, data, page
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.model import Access
from kmsg_exporter.probes.backend import RecordReader
from kmsg_exporter.probes.pairing import Pairing, Step
from kmsg_exporter.tracefs.instance import Instance
from kmsg_exporter.tracefs.page import Page, PageLayout, decode_page

LAYOUT = PageLayout(commit_offset=8, commit_size=8, data_offset=16)
LIMIT = 4096


def step(
    time_ns: int,
    tid: int,
    phase: Literal["enter", "exit"],
    *,
    action: str = "clear",
    result: int | None = None,
    call: str = "syslog",
) -> Step:
    comm = b"dmesg" if phase == "enter" else None
    return Step(time_ns, tid, phase, call, "syslog", "call", action, comm=comm, result=result)


def access(time_ns: int, tid: int, result: int | None, *, action: str = "clear") -> Access:
    return Access(time_ns, tid, b"dmesg", "syslog", "call", action, result)


@dataclass(frozen=True)
class Event:
    """One record that a kernel writes on some CPU: the entry of call `number` of a thread, or its return."""

    time_ns: int
    cpu: int
    tid: int
    number: int
    phase: Literal["enter", "exit"]


class Running(Instance):
    """An instance whose kernel goes on while it is read: each CPU is read a little later than the one before."""

    def __init__(self, events: list[Event], pauses: list[int]) -> None:
        super().__init__(FakeTracefs(), "running", buffer_size_kb=64, overwrite=False)
        assert isinstance(self.tracefs, FakeTracefs)
        self.tracefs.close()
        self.now = 0
        self._unread = events
        self._pauses = pauses

    def raw_pages(self, most: int = 1000) -> Iterator[tuple[int, bytes]]:
        for cpu in (0, 1, 2):
            self.now += self._pauses.pop() if self._pauses else 1
            ready = [event for event in self._unread if event.cpu == cpu and event.time_ns <= self.now]
            ready = sorted(ready, key=lambda event: event.time_ns)[:most]
            self._unread = [event for event in self._unread if event not in ready]
            for event in ready:
                fields = (event.tid, event.number, int(event.phase == "enter"))
                payload = (7).to_bytes(4, "little") + b"".join(value.to_bytes(4, "little") for value in fields)
                yield cpu, page(event.time_ns, data(0, payload))

    def decode(self, raw: bytes) -> Page:
        return decode_page(raw, LAYOUT)


def decoded(time_ns: int, record: bytes) -> Step:
    tid, number, entered = (int.from_bytes(record[at : at + 4], "little") for at in (4, 8, 12))
    return step(time_ns, tid, "enter") if entered else step(time_ns, tid, "exit", result=number)


@st.composite
def calls(draw: st.DrawFn) -> list[Event]:
    """Up to six calls by three threads, one after the other in each thread, each step on any CPU."""
    events = []
    moments = draw(st.lists(st.integers(1, 60), unique=True, min_size=12, max_size=12).map(sorted))
    open_calls: dict[int, int] = {}
    number = 0
    for moment in moments:
        tid, cpu = draw(st.integers(1, 3)), draw(st.integers(0, 2))
        if tid in open_calls:
            events.append(Event(moment, cpu, tid, open_calls.pop(tid), "exit"))
        else:
            number += 1
            open_calls[tid] = number
            events.append(Event(moment, cpu, tid, number, "enter"))
    return events


@given(
    events=calls(),
    pauses=st.lists(st.integers(1, 20), max_size=30),
    drains=st.integers(1, 4),
    most_pages=st.sampled_from([1, 2, 1000]),
)
def test_calls_are_paired_by_thread_over_any_cpus_and_readings(
    events: list[Event], pauses: list[int], drains: int, most_pages: int
) -> None:
    running = Running(list(events), list(pauses))
    reader = RecordReader(running, running, boot_ns=lambda: running.now, most_pages=most_pages)
    reader.decoders[7] = decoded
    found: list[Access] = []
    for _ in range(drains):
        found += reader.drain(bulk=False)
    running.now += 1000
    for _ in range(len(events)):
        found += reader.drain(bulk=False)
    begun = {event.number: event for event in events if event.phase == "enter"}
    expected = [
        access(begun[event.number].time_ns, event.tid, event.number) for event in events if event.phase == "exit"
    ]
    assert sorted(found, key=lambda one: one.time_ns) == sorted(expected, key=lambda one: one.time_ns)


def test_entry_waits_for_its_return_over_readings() -> None:
    pairing = Pairing()
    assert pairing.feed([step(100, 1, "enter")]) == []
    assert pairing.clear_pending()
    assert pairing.feed([step(200, 1, "exit", result=0)]) == [access(100, 1, 0)]
    assert not pairing.clear_pending()


def test_calls_of_one_thread_by_both_abis_are_kept_apart() -> None:
    pairing = Pairing()
    steps = [
        step(1, 5, "enter", call="syslog", action="read"),
        step(2, 5, "enter", call="syslog32"),
        step(3, 5, "exit", call="syslog32", result=-1),
        step(4, 5, "exit", call="syslog", result=80),
    ]
    assert pairing.feed(steps) == [access(2, 5, -1), access(1, 5, 80, action="read")]


def test_return_without_an_entry_is_no_call() -> None:
    assert Pairing().feed([step(1, 5, "exit", result=0)]) == []


def test_entry_whose_return_was_lost_gives_way_to_the_next_one() -> None:
    pairing = Pairing()
    steps = [step(1, 5, "enter"), step(9, 5, "enter"), step(10, 5, "exit", result=0)]
    assert pairing.feed(steps) == [access(9, 5, 0)]


def test_record_whose_other_half_was_lost_is_told_to_be_alone() -> None:
    pairing = Pairing()
    begun, ended = step(1, 5, "enter"), step(2, 6, "exit", result=-1)
    pairing.feed([begun, ended, step(9, 5, "enter"), step(10, 5, "exit", result=0)])
    assert pairing.alone == [ended, begun]
    assert pairing.halves == 2


def test_clear_whose_return_does_not_come_is_told_after_a_second() -> None:
    pairing = Pairing()
    pairing.feed([step(100, 1, "enter"), step(100, 2, "enter", action="read")])
    assert pairing.overdue_clears(1_000_000_100) == []
    assert pairing.overdue_clears(1_000_000_101) == [access(100, 1, None)]
    assert pairing.overdue_clears(9_000_000_000) == []
    assert not pairing.clear_pending()


def test_return_of_a_clear_that_was_held_is_told_when_it_comes() -> None:
    pairing = Pairing()
    pairing.feed([step(100, 1, "enter")])
    pairing.overdue_clears(9_000_000_000)
    assert pairing.feed([step(9_000_000_100, 1, "exit", result=80)]) == [access(100, 1, 80)]
    assert pairing.feed([step(9_000_000_200, 1, "exit", result=80)]) == []


def held(*tids: int) -> Pairing:
    """Clears whose returns have not come in time."""
    pairing = Pairing()
    pairing.feed(step(100, tid, "enter") for tid in tids)
    pairing.overdue_clears(9_000_000_000)
    return pairing


def ended(pairing: Pairing, *tids: int, at: int, complete: int | None = None) -> None:
    """These threads are seen to have ended; what was recorded until `complete` is read."""
    pairing.count_ended(
        lambda tid: tid not in tids, boot_ns=lambda: at, complete_ns=at if complete is None else complete
    )


def test_call_whose_return_was_lost_is_a_half_once_its_thread_has_ended_and_all_is_read() -> None:
    pairing = Pairing()
    pairing.feed([step(100, 1, "enter", action="console_level"), step(101, 2, "enter", action="console_level")])
    ended(pairing, 1, at=200, complete=150)
    assert pairing.halves == 0
    ended(pairing, 1, at=300, complete=250)
    assert (pairing.halves, [one.tid for one in pairing.alone]) == (1, [1])
    assert pairing.feed([step(400, 2, "exit", action="console_level", result=0)]) == [
        access(101, 2, 0, action="console_level")
    ]


def test_return_that_was_not_read_yet_is_waited_for() -> None:
    pairing = Pairing()
    pairing.feed([step(100, 1, "enter", action="console_level")])
    ended(pairing, 1, at=200, complete=150)
    assert pairing.feed([step(110, 1, "exit", result=0)]) == [access(100, 1, 0, action="console_level")]
    ended(pairing, 1, at=300)
    assert pairing.halves == 0


def test_clear_that_was_held_and_returned_is_no_half() -> None:
    pairing = held(1)
    ended(pairing, at=9_000_000_050)
    pairing.feed([step(9_000_000_100, 1, "exit", result=80)])
    assert pairing.halves == 0


def test_held_clear_is_a_half_when_its_thread_calls_anew() -> None:
    pairing = held(1)
    pairing.feed([step(9_000_000_100, 1, "enter"), step(9_000_000_200, 1, "exit", result=0)])
    assert pairing.halves == 1


def test_held_clear_is_a_half_once_its_thread_has_ended() -> None:
    pairing = held(1, 2)
    for _ in range(2):
        ended(pairing, 1, at=9_000_000_050)
    assert pairing.halves == 1
    pairing.feed([step(9_000_000_100, 1, "enter")])  # another of that number
    assert pairing.halves == 1


def test_return_of_a_held_clear_is_told_although_its_thread_has_ended() -> None:
    pairing = held(1)
    ended(pairing, 1, at=9_000_000_200, complete=9_000_000_050)
    assert pairing.feed([step(9_000_000_100, 1, "exit", result=80)]) == [access(100, 1, 80)]


def test_held_clears_are_bounded_and_the_oldest_are_halves() -> None:
    pairing = held(*range(1, LIMIT + 1))
    pairing.feed([step(9_000_000_100, LIMIT + 1, "enter")])
    pairing.overdue_clears(19_000_000_000)
    assert pairing.halves == 1
    assert pairing.feed([step(19_000_000_100, 1, "exit", result=0)]) == []


def test_held_clear_that_is_settled_is_not_told_again() -> None:
    pairing = Pairing()
    pairing.feed([step(100, 1, "enter")])
    [late] = pairing.overdue_clears(9_000_000_000)
    pairing.settled(late)
    assert pairing.halves == 1
    assert pairing.feed([step(9_000_000_100, 1, "exit", result=80)]) == []


def test_held_clear_gives_way_to_the_next_call_of_its_thread() -> None:
    pairing = Pairing()
    pairing.feed([step(100, 1, "enter")])
    pairing.overdue_clears(9_000_000_000)
    later = [step(9_000_000_100, 1, "enter", action="read"), step(9_000_000_200, 1, "exit", result=8)]
    assert pairing.feed(later) == [access(9_000_000_100, 1, 8, action="read")]
    assert pairing.feed([step(9_000_000_300, 1, "exit", result=80)]) == []


def test_open_calls_are_bounded_and_the_oldest_go_first() -> None:
    pairing = Pairing()
    tids = range(1, LIMIT + 500)
    pairing.feed([step(tid, tid, "enter") for tid in tids])
    finished = pairing.feed([step(9999, tid, "exit", result=0) for tid in tids])
    assert [one.tid for one in finished] == list(tids[-LIMIT:])
