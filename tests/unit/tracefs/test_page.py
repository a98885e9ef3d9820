"""Ring buffer pages: what the encoder writes is what the decoder reads, and no bytes make it crash."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from fake_tracefs import FORMATS, data, discarded, long_data, page, page_end, time_extend, time_stamp
from hypothesis import example, given
from hypothesis import strategies as st

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.tracefs.page import Page, PageLayout, decode_page, parse_layout

LAYOUT = parse_layout((FORMATS / "header_page").read_text())
DELTA = st.integers(0, (1 << 27) - 1)
TOP_BITS = ~((1 << 59) - 1)


@dataclass(frozen=True)
class Part:
    """A piece of a page: its bytes, how it moves the clock, and the record that comes of it."""

    raw: bytes
    delta: int = 0
    stamp: int | None = None
    payload: bytes | None = None


def _padded(payload: bytes) -> bytes:
    return payload + bytes(-len(payload) % 4)


SHORT = st.builds(
    lambda delta, words: Part(data(delta, words), delta, payload=words),
    DELTA,
    st.integers(1, 28).flatmap(lambda count: st.binary(min_size=4 * count, max_size=4 * count)),
)
LONG = st.builds(
    lambda delta, payload: Part(long_data(delta, payload), delta, payload=_padded(payload)),
    DELTA,
    st.binary(max_size=200),
)
DISCARDED = st.builds(
    lambda delta, words: Part(discarded(delta, 4 * words), delta), st.integers(1, (1 << 27) - 1), st.integers(0, 20)
)
EXTEND = st.integers(0, (1 << 59) - 1).map(lambda delta: Part(time_extend(delta), delta))
STAMP = st.integers(0, (1 << 59) - 1).map(lambda stamp: Part(time_stamp(stamp), stamp=stamp))
PARTS = st.lists(st.one_of(SHORT, LONG, DISCARDED, EXTEND, STAMP), max_size=12)


@given(
    time_ns=st.integers(0, (1 << 62) - 1), parts=PARTS, ended=st.booleans(), lost=st.none() | st.integers(0, 1 << 40)
)
def test_encoded_page_is_decoded_to_the_same_records(
    time_ns: int, parts: list[Part], ended: bool, lost: int | None
) -> None:
    raw = page(time_ns, *(part.raw for part in parts), page_end() if ended else b"", lost=lost)
    now = time_ns
    expected = []
    for part in parts:
        if part.stamp is None:
            now += part.delta
        else:
            whole = now & TOP_BITS | part.stamp
            # the five topmost bits are those of the time before, one more when the lower ones have gone round
            now = whole + (1 << 59) if now & TOP_BITS and whole < now else whole
        if part.payload is not None:
            expected.append((now, part.payload))
    used = 16 + sum(len(part.raw) for part in parts) + (4 if ended else 0)
    assert decode_page(raw, LAYOUT) == Page(time_ns, lost, used, tuple(expected))


@given(st.binary(max_size=400))
@example(page(1)[:15])
def test_any_bytes_are_a_page_or_a_decode_error(raw: bytes) -> None:
    try:
        decoded = decode_page(raw, LAYOUT)
    except DecodeError:
        return
    assert decoded.data_end <= len(raw)


@given(head=st.binary(min_size=8, max_size=8), body=st.binary(max_size=120), flags=st.sampled_from([0, 2, 3]))
def test_any_body_of_a_page_is_decoded_or_a_decode_error(head: bytes, body: bytes, flags: int) -> None:
    raw = head + (len(body) | flags << 30).to_bytes(8, "little") + body
    try:
        decoded = decode_page(raw, LAYOUT)
    except DecodeError:
        return
    assert sum(len(record) for _time, record in decoded.records) <= len(body)


@given(parts=st.lists(st.one_of(SHORT, LONG), min_size=1, max_size=6), cut=st.integers(1, 8))
def test_record_that_runs_over_the_end_is_a_decode_error(parts: list[Part], cut: int) -> None:
    body = b"".join(part.raw for part in parts)[: -min(cut, len(parts[-1].raw) - 1)]
    raw = page(1, body)
    with pytest.raises(DecodeError, match=r"runs over the data's end|says that it has"):
        decode_page(raw, LAYOUT)


def test_records_after_the_end_padding_are_not_read() -> None:
    raw = page(100, data(1, b"once"), page_end(), data(1, b"junk"))
    assert decode_page(raw, LAYOUT).records == ((101, b"once"),)


def test_page_tells_how_many_records_were_lost_before_it() -> None:
    assert decode_page(page(1, data(0, b"kept"), lost=0), LAYOUT).lost == 0
    assert decode_page(page(1, data(0, b"kept"), lost=812), LAYOUT).lost == 812
    assert decode_page(page(1, data(0, b"kept"), lost=None), LAYOUT).lost is None


def test_full_page_has_no_room_for_the_number_of_lost_records() -> None:
    full = page(1, *[data(0, bytes(112))] * 35, data(0, bytes(16)), lost=812)[:4096]
    assert decode_page(full[: 16 + 35 * 116 + 20], LAYOUT).lost is None


def test_time_stamp_keeps_the_topmost_bits_of_the_time_before() -> None:
    before = (3 << 59) + 500
    raw = page(before, time_stamp(before + 70), data(0, b"a111"), time_stamp((4 << 59) + 9), data(0, b"b222"))
    assert decode_page(raw, LAYOUT).records == ((before + 70, b"a111"), ((4 << 59) + 9, b"b222"))


def test_time_extend_reaches_past_27_bits() -> None:
    raw = page(1000, time_extend(10**12), data(5, b"late"))
    assert decode_page(raw, LAYOUT).records == ((10**12 + 1005, b"late"),)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        (0, "a record at byte 20 says that it has 0 bytes"),
        (16, "a record of 12 bytes at byte 24 runs over the data's end"),
    ],
)
def test_discarded_record_of_a_length_that_can_not_be_is_a_decode_error(word: int, why: str) -> None:
    raw = page(1, discarded(5, 0)[:4] + word.to_bytes(4, "little"), data(0, b"next"))
    with pytest.raises(DecodeError, match=why):
        decode_page(raw, LAYOUT)


def test_times_past_64_bits_are_a_decode_error() -> None:
    raw = page((1 << 64) - 8, data(7, b"last"), data(1, b"past"), time_stamp(5), data(0, b"back"))
    with pytest.raises(DecodeError, match="the times of a page run past 64 bits: 18446744073709551621"):
        decode_page(raw, LAYOUT)


def test_layout_of_this_kernels_header_page() -> None:
    assert (LAYOUT.commit_offset, LAYOUT.commit_size, LAYOUT.data_offset) == (8, 8, 16)


def test_layout_of_a_32_bit_kernels_header_page() -> None:
    text = (
        "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
        "\tfield: local_t commit;\toffset:8;\tsize:4;\tsigned:1;\n"
        "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
        "\tfield: char data;\toffset:12;\tsize:4084;\tsigned:1;\n"
    )
    layout = parse_layout(text)
    assert layout == PageLayout(commit_offset=8, commit_size=4, data_offset=12)
    body = data(7, b"abcd")
    raw = (50).to_bytes(8, "little") + len(body).to_bytes(4, "little") + body
    assert decode_page(raw, layout).records == ((57, b"abcd"),)


@given(st.text(max_size=200))
@example("\tfield: u64 timestamp;\toffset:" + "9" * 5000 + ";\tsize:8;\tsigned:0;\n")
@example("\tfield: u64 timestamp;\toffset:²;\tsize:8;\tsigned:0;\n")
def test_any_text_is_a_layout_or_a_decode_error(text: str) -> None:
    with pytest.raises(DecodeError, match="not a page header"):
        parse_layout(text)
