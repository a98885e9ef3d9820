"""What an agent answers, and what is made of it on the other side."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.agent.snapshot import MAX_NAMES, MAX_READERS, snapshot
from kmsg_exporter.errors import DecodeError
from kmsg_exporter.local.line import ANSWER_BYTES, line_of
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.model import Observation, Reader, RingState
from kmsg_exporter.watching.snapshot import Key, Snapshot, decode


def answered(totals: Totals, observation: Observation) -> Any:
    answer = snapshot(totals.snapshot(), observation, started_ns=7, last_sequence=3, compat=False)
    return json.loads(line_of(answer))


def sent(totals: Totals, observation: Observation) -> Snapshot:
    return decode(answered(totals, observation))


def test_all_that_is_counted_and_observed_arrives() -> None:
    totals = Totals()
    totals.clear("dmesg", "/usr/bin/dmesg", "clear", origin="cleanup.sh", expected=False)
    totals.denied("dmesg", "/usr/bin/dmesg", "clear")
    totals.read("cat", "/usr/bin/cat", "dev_kmsg", "read", calls=3, nbytes=100)
    totals.open("cat", "/usr/bin/cat", "dev_kmsg")
    totals.write("sh", "/usr/bin/dash")
    totals.console_change("dmesg", "/usr/bin/dmesg", "console_level")
    totals.emptied(12.5)
    totals.unattributed_clear()
    ring = RingState(True, 5, 9, 1, 1 << 17, 1 << 16)
    readers = (Reader(4, "c\udcff", "/bin/x", "proc_kmsg"),)
    now = sent(totals, Observation("tracepoint", ready=True, ring=ring, readers=readers, trace_lost_events_total=2))
    assert now.counts == {
        Key("clears", "dmesg", "/usr/bin/dmesg", ("clear",)): 1,
        Key("denied", "dmesg", "/usr/bin/dmesg", ("clear",)): 1,
        Key("reads", "cat", "/usr/bin/cat", ("dev_kmsg", "read")): 3,
        Key("bytes", "cat", "/usr/bin/cat", ("dev_kmsg", "read")): 100,
        Key("opens", "cat", "/usr/bin/cat", ("dev_kmsg",)): 1,
        Key("writes", "sh", "/usr/bin/dash", ()): 1,
        Key("console", "dmesg", "/usr/bin/dmesg", ("console_level",)): 1,
    }
    assert (now.backend, now.ready, now.ring, now.readers) == ("tracepoint", True, ring, readers)
    assert (now.emptied, now.last_emptied_unix, now.unattributed, now.lost_events) == (1, 12.5, 1, 2)
    assert (now.last_sequence, now.left_out) == (3, 0)
    assert "reads of /dev/kmsg and /proc/kmsg" in now.unseen
    assert now.life.endswith(" 7")


def test_readers_that_are_not_known_stay_so() -> None:
    assert sent(Totals(), Observation("state", ready=True)).readers is None


def test_the_answer_fits_whatever_processes_call_themselves() -> None:
    totals = Totals(100_000)
    for number in range(2 * MAX_NAMES):
        name = (f"\U0001f4a3{number}", f"/{number}" + "\u4e16" * 4000)
        totals.read(*name, "dev_kmsg", "read", calls=number + 1, nbytes=1 << 40)
        totals.read(*name, "proc_kmsg", "read", calls=number + 1, nbytes=1 << 40)
        totals.clear(*name, "clear", origin="x", expected=False)
    readers = tuple(Reader(number, "\u4e16" * 15, "/\u4e16" * 2000, "dev_kmsg") for number in range(3 * MAX_READERS))
    observation = Observation("kprobe", ready=True, readers=readers)
    answer = snapshot(totals.snapshot(), observation, started_ns=7, last_sequence=3, compat=False)
    assert len(line_of(answer)) < ANSWER_BYTES
    now = decode(answer)
    assert now.left_out == MAX_NAMES
    assert max(now.counts.values()) == 1 << 40
    assert sum(key.what == "clears" for key in now.counts) == MAX_NAMES  # the busiest
    assert all(key.exe.startswith("\u2026") and len(key.exe) == 200 for key in now.counts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(answer=JSON)
def test_any_other_answer_is_an_error_that_says_what_to_do(answer: Any) -> None:
    with pytest.raises(DecodeError, match="restart the agent after an upgrade"):
        decode(answer)


@given(part=st.sampled_from(sorted(answered(Totals(), Observation("state", ready=True)))), value=JSON)
def test_an_answer_that_is_wrong_in_one_part_is_understood_or_an_error(part: str, value: Any) -> None:
    answer = answered(Totals(), Observation("state", ready=True)) | {part: value}
    with suppress(DecodeError):
        decode(answer)
