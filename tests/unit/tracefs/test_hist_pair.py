"""Two histograms that count in turn: every call is told once, whenever they are read and emptied."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator

import pytest
from fake_tracefs import FakeTracefs
from hypothesis import given, settings
from hypothesis import strategies as st

from kmsg_exporter.errors import TracefsRejected
from kmsg_exporter.tracefs import dynevent
from kmsg_exporter.tracefs.dynevent import Kretprobe
from kmsg_exporter.tracefs.hist import Hist
from kmsg_exporter.tracefs.hist_pair import TICKS, TURN, HistPair, is_over
from kmsg_exporter.tracefs.instance import Instance

READ = Kretprobe("kmsg_exporter", "ke_devkmsg_read", "devkmsg_read", ("ret=$retval:s64", "comm=$comm", TICKS))
HIST = Hist(("common_pid", "comm"), ("ret",), 128, "ret > 0")


class Reads:
    """A kernel whose reads of /dev/kmsg a pair counts."""

    def __init__(self) -> None:
        self.fake = FakeTracefs()
        dynevent.define(self.fake, READ)
        self.instance = Instance(self.fake, "kmsg_exporter_bulk", buffer_size_kb=64, overwrite=False)
        self.instance.__enter__()
        self.pair = HistPair(self.instance, "kmsg_exporter/ke_devkmsg_read", HIST)
        self.pair.attach()

    def read(self, tid: int, ret: int = 10) -> None:
        self.fake.call("devkmsg_read", tid=tid, comm=b"cat", ret=ret)

    def close(self) -> None:
        self.instance.close()
        self.fake.close()


@pytest.fixture
def reads() -> Iterator[Reads]:
    one = Reads()
    yield one
    one.close()


def test_calls_are_told_once_with_their_sum(reads: Reads) -> None:
    reads.read(7, 10)
    reads.read(7, 20)
    reads.read(7, -11)
    assert reads.pair.read() == {(b"7", b"cat"): (2, 30)}
    assert reads.pair.read() == {}
    reads.read(7, 5)
    assert reads.pair.read() == {(b"7", b"cat"): (1, 5)}


def test_both_turns_are_one_count(reads: Reads) -> None:
    reads.read(7)
    reads.fake.ticks = TURN
    reads.read(7)
    assert reads.pair.read() == {(b"7", b"cat"): (2, 20)}


def test_it_counts_and_records_nothing(reads: Reads) -> None:
    reads.read(7)
    assert list(reads.instance.pages()) == []
    assert reads.pair.attached()


def test_trigger_taken_away_by_somebody_else_is_noticed(reads: Reads) -> None:
    path = "instances/kmsg_exporter_bulk/events/kmsg_exporter/ke_devkmsg_read/trigger"
    reads.fake.write(path, "!" + reads.fake.read(path).splitlines()[0].removesuffix(" [active]"))
    assert not reads.pair.attached()


def test_attaching_again_begins_from_nothing(reads: Reads) -> None:
    reads.read(7)
    again = HistPair(reads.instance, "kmsg_exporter/ke_devkmsg_read", HIST)
    again.attach()
    assert again.read() == {}
    assert again.attached()


def test_full_map_counts_what_it_dropped(reads: Reads) -> None:
    for tid in range(200):
        reads.read(tid)
    assert len(reads.pair.read()) == 128
    assert reads.pair.dropped == 72
    assert reads.pair.is_filling()


def test_only_the_map_that_rests_is_emptied(reads: Reads) -> None:
    for tid in range(70):
        reads.read(tid)
    reads.pair.read()
    assert not reads.pair.empty_resting(TURN // 2)
    assert reads.pair.is_filling()
    reads.fake.ticks = TURN + 5
    reads.read(1)
    assert reads.pair.empty_resting(TURN + 5)
    assert not reads.pair.is_filling()
    assert reads.pair.read() == {(b"1", b"cat"): (1, 10)}
    for tid in range(7):
        reads.read(tid)
    assert sum(calls for calls, _ in reads.pair.read().values()) == 7
    assert reads.pair.dropped == 0


def test_map_whose_rest_ends_soon_is_not_emptied(reads: Reads) -> None:
    for tid in range(70):
        reads.read(tid)
    reads.pair.read()
    assert not reads.pair.empty_resting(2 * TURN - 1)
    assert reads.pair.is_filling()


@pytest.mark.parametrize(
    ("began", "ticks", "over"),
    [
        (TURN, TURN, False),
        (TURN + 5, 2 * TURN - 1, False),
        (TURN + 5, 2 * TURN, True),
        (TURN + 5, 3 * TURN + 5, True),
        ((1 << 32) - TURN, (1 << 32) - 1, False),
        ((1 << 32) - TURN, 0, True),
    ],
)
def test_turn_is_over_when_the_tick_count_has_come_to_the_next(began: int, ticks: int, *, over: bool) -> None:
    assert is_over(began, ticks) is over


def test_map_that_somebody_else_cleared_is_counted_from_zero(reads: Reads) -> None:
    for _ in range(10):
        reads.read(7)
    reads.read(8)
    reads.pair.read()
    clear_from_outside(reads)
    for _ in range(3):
        reads.read(7)
    assert reads.pair.read() == {(b"7", b"cat"): (3, 30)}
    for _ in range(12):  # more than before: another of its entries shows it
        reads.read(9)
    reads.pair.read()
    clear_from_outside(reads)
    for _ in range(15):
        reads.read(9)
    assert reads.pair.read() == {(b"9", b"cat"): (15, 150)}


def test_what_a_map_dropped_does_not_fall_when_somebody_else_clears_it(reads: Reads) -> None:
    for tid in range(200):
        reads.read(tid)
    reads.pair.read()
    clear_from_outside(reads)
    assert reads.pair.read() == {}
    assert reads.pair.dropped == 72
    for tid in range(130):
        reads.read(tid)
    assert sum(calls for calls, _ in reads.pair.read().values()) == 128
    assert reads.pair.dropped == 74


def test_what_was_read_is_told_although_the_map_could_not_be_emptied(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, command: str, *, truncate: bool = False) -> None:  # noqa: ARG001
        raise TracefsRejected(f"{command} to {path}", errno=errno.ENOMEM)

    reads.read(7)
    with monkeypatch.context() as patch:
        patch.setattr(reads.fake, "write", refuse)
        with pytest.raises(TracefsRejected):
            reads.pair.empty_resting(TURN)
    assert reads.pair.read() == {(b"7", b"cat"): (1, 10)}


def clear_from_outside(reads: Reads) -> None:
    """Empty the maps as anybody may who may trace."""
    path = "instances/kmsg_exporter_bulk/events/kmsg_exporter/ke_devkmsg_read/trigger"
    for shown in reads.fake.read(path).splitlines():
        head, condition, rest = shown.removesuffix(" [active]").partition(" if ")
        reads.fake.write(path, f"{head}:clear{condition}{rest}")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(1, 12)),
        st.tuples(st.just("burst"), st.integers(50, 150)),
        st.tuples(st.just("ticks"), st.integers(1, TURN)),
        st.tuples(st.sampled_from(["read", "empty"]), st.just(0)),
    ),
    max_size=60,
)


@given(steps=STEPS)
@settings(max_examples=30)
def test_whatever_happens_each_call_is_told_once_or_counted_as_dropped(steps: list[tuple[str, int]]) -> None:
    reads = Reads()
    try:
        made: Counter[bytes] = Counter()
        told: Counter[bytes] = Counter()
        for what, value in [*steps, ("read", 0)]:
            added = {}
            if what == "call":
                made[str(value).encode()] += 1
                reads.read(value)
            elif what == "burst":
                for number in range(100, 100 + value):
                    made[str(number).encode()] += 1
                    reads.read(number)
            elif what == "ticks":
                reads.fake.ticks += value
            elif what == "read":
                added = reads.pair.read()
            else:
                reads.pair.empty_resting(reads.fake.ticks)
            for (tid, _), (calls, nbytes) in added.items():
                assert nbytes == 10 * calls > 0
                told[tid] += calls
        assert told.total() + reads.pair.dropped == made.total()
        assert all(told[tid] <= made[tid] for tid in told)
    finally:
        reads.close()
