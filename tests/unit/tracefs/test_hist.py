"""Histogram triggers: what the kernel shows of one is read back, whatever a process calls itself."""

from __future__ import annotations

from contextlib import suppress

import pytest
from fake_hist import COMMAND, FakeHist
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.tracefs.hist import Hist, HistMap, parse_hist

READS = Hist(("common_pid", "comm"), ("ret",), 1024, "ret > 0 && !(ticks & 8192)")
SHOWN = b"""\
# event histogram
#
# trigger info: hist:keys=common_pid,comm:vals=hitcount,ret:sort=hitcount:size=1024 if ret > 0 && !(ticks & 8192) [active]
#

{ common_pid:        118, comm: reads-proc                                         } hitcount:          1  ret:      25233
{ common_pid:         92, comm: systemd-journal                                    } hitcount:      39241  ret:    2657602

Totals:
    Hits: 39242
    Entries: 2
    Dropped: 3


# event histogram
#
# trigger info: hist:keys=common_pid:vals=hitcount:sort=hitcount:size=512 if ret < 0 [active]
#


Totals:
    Hits: 0
    Entries: 0
    Dropped: 0
"""  # noqa: E501


def test_trigger_is_written_as_the_kernel_shows_it() -> None:
    assert str(READS) == (
        "hist:keys=common_pid,comm:vals=hitcount,ret:sort=hitcount:size=1024 if ret > 0 && !(ticks & 8192)"
    )
    assert READS.clear == (
        "hist:keys=common_pid,comm:vals=hitcount,ret:sort=hitcount:size=1024:clear if ret > 0 && !(ticks & 8192)"
    )
    assert str(Hist(("common_pid",))) == "hist:keys=common_pid:vals=hitcount:sort=hitcount:size=1024"


def test_maps_of_one_event_are_read_one_after_the_other() -> None:
    assert parse_hist(SHOWN) == (
        HistMap(
            str(READS), {(b"118", b"reads-proc"): (1, 25233), (b"92", b"systemd-journal"): (39241, 2657602)}, 39242, 3
        ),
        HistMap("hist:keys=common_pid:vals=hitcount:sort=hitcount:size=512 if ret < 0", {}, 0, 0),
    )


def test_event_without_a_trigger_has_no_map() -> None:
    assert parse_hist(b"") == ()


@pytest.mark.parametrize(
    "raw",
    [
        b"x",
        SHOWN[:-30],
        SHOWN.replace(b"hitcount:          1", b"hitcount: -1"),
        SHOWN.replace(b"118", b" -7"),
        b"# event histogram\n",
    ],
)
def test_other_text_is_no_histogram(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_hist(raw)


COMMS = st.binary(max_size=15).filter(lambda comm: b"\0" not in comm and comm.strip(b" ") == comm)


@given(counted=st.dictionaries(st.tuples(st.integers(1, 1 << 22), COMMS), st.integers(1, 1 << 40), max_size=8))
def test_no_name_makes_another_count_of_it(counted: dict[tuple[int, bytes], int]) -> None:
    match = COMMAND.fullmatch(str(Hist(("common_pid", "comm"), ("ret",))))
    assert match
    shown = FakeHist(match, ("common_pid", "comm", "ret"))
    for (tid, comm), ret in counted.items():
        shown.count({"common_pid": tid, "comm": comm, "ret": ret})
    [one] = parse_hist(shown.show())
    assert one.entries == {(str(tid).encode(), comm): (1, ret) for (tid, comm), ret in counted.items()}


def test_names_that_differ_in_spaces_around_them_are_counted_as_one() -> None:
    match = COMMAND.fullmatch(str(Hist(("common_pid", "comm"), ("ret",))))
    assert match
    shown = FakeHist(match, ("common_pid", "comm", "ret"))
    for comm in (b"x", b"x ", b" x", b"x "):
        shown.count({"common_pid": 7, "comm": comm, "ret": 60})
    [one] = parse_hist(shown.show())
    assert (one.entries, one.hits) == ({(b"7", b"x"): (4, 240)}, 4)


@pytest.mark.parametrize(
    "comm", [b"\n{ comm: root  ", b"} hitcount: 9  ", b", common_pid: 1", b"\nTotals:\n    H", b" } "]
)
def test_name_that_looks_like_the_text_around_it_is_a_name(comm: bytes) -> None:
    shown = SHOWN.replace(b"reads-proc".ljust(50), comm.ljust(50))
    assert (b"118", comm.strip(b" ")) in parse_hist(shown)[0].entries


@given(st.binary(max_size=400), st.integers(0, len(SHOWN)))
def test_any_bytes_are_maps_or_a_decode_error(noise: bytes, at: int) -> None:
    for raw in (noise, SHOWN[:at] + noise + SHOWN[at:]):
        with suppress(DecodeError):
            parse_hist(raw)
