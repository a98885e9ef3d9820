"""Events told to a person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmsg_exporter.collector.event import ReceivedEvent, StoredEvent
from kmsg_exporter.collector.present import Line, Link, Story, tell
from kmsg_exporter.collector.visible import visible

NOW_NS = 1_770_000_000_000_000_000
SECOND_NS = 1_000_000_000


def story(
    attributes: dict[str, Any] | None = None,
    *,
    time_unix_ns: int | None = NOW_NS,
    origin: str = "",
    body: Any = "",
) -> Story:
    attributes = attributes or {}
    document = {"body": body, "resource": {}, "attributes": attributes}
    comm = attributes.get("kmsg.process.comm", "")
    event = StoredEvent("uid-1", time_unix_ns, "node-7", comm, "", origin, json.dumps(document))
    return tell(ReceivedEvent(event, NOW_NS, "1-1"), now_ns=NOW_NS)


@pytest.mark.parametrize(
    ("time_unix_ns", "remark"),
    [
        (NOW_NS, ""),
        (NOW_NS - 3600 * SECOND_NS, "arrived 1 hour later"),
        (None, "when it arrived: the node gave no time"),
        (NOW_NS + 86400 * SECOND_NS, "when it arrived: the node's clock said 2026-02-03"),
        (SECOND_NS, "when it arrived: the node's clock said 1970-01-01"),
    ],
)
def test_a_time_that_may_surprise_is_explained(time_unix_ns: int | None, remark: str) -> None:
    assert story(time_unix_ns=time_unix_ns).remark == remark


def test_the_chain_is_read_from_the_ancestors() -> None:
    told = story({"kmsg.process.ancestors": ["41 my script.sh /bin/bash", "8 cron ", "1 systemd", "[3 more]"]})
    assert told.chain == (
        Link("my script.sh", "/bin/bash", "41"),
        Link("cron ", "", "8"),
        Link("systemd", "", "1"),
        Link("[3 more]", "", ""),
    )


def test_a_chain_without_end_is_cut() -> None:
    told = story({"kmsg.process.ancestors": [f"{number} sh" for number in range(60_000)]})
    assert len(told.chain) == 64
    assert told.chain[-1] == Link("sh", "", "63")


def test_the_nearest_ancestor_of_the_origins_name_is_the_origin() -> None:
    told = story({"kmsg.process.ancestors": ["9 bash", "8 sshd", "7 sshd"]}, origin="sshd")
    assert [link.origin for link in told.chain] == [False, True, False]


def test_the_sample_reads_as_a_kernel_log() -> None:
    told = story(
        {"kmsg.hidden.sample": ["<3>[   12.345678] Out of memory", "<30>[    1.000000] a\n\tb", "bare", "<4>x"]}
    )
    assert told.sample == (
        Line("err", "12.345678", "Out of memory", severe=True),
        Line("info", "1.000000", "a", severe=False),
        Line("info", "", "                       b", severe=False),
        Line("", "", "bare", severe=False),
        Line("warning", "", "x", severe=False),
    )
    assert told.sample_records == 4
    assert told.severe_sample == told.sample[:1]


@pytest.mark.parametrize(
    ("sample", "lines", "records", "left_out"),
    [
        ("a\nb\n", 2, 2, 0),
        ("", 0, 0, 0),
        ("\n" * 120_000, 2000, 2000, 118_000),
        ("a\x85b\u2028c", 1, 1, 0),
        (["a"] * 60_000, 2000, 2000, 58_000),
        (["a\nb\nc"] * 1000, 2000, 667, 333),
        (["\n" * 120_000, "b"], 2000, 1, 1),
    ],
)
def test_a_sample_without_end_is_cut_and_what_is_left_out_told(
    sample: object, lines: int, records: int, left_out: int
) -> None:
    told = story({"kmsg.hidden.sample": sample})
    assert (len(told.sample), told.sample_records, told.sample_left_out) == (lines, records, left_out)


def test_levels_are_in_order_and_errors_or_worse_are_counted() -> None:
    told = story({"kmsg.hidden.by_level": {"info": 5, "err": 2, "crit": 1, "debug": 0, "bogus": 3}})
    assert told.by_level == (("crit", 1), ("err", 2), ("info", 5))
    assert told.severe == 3


def test_what_else_is_known_about_the_actor_is_told() -> None:
    told = story(
        {
            "process.command_args": ["dmesg", "-C", "a b"],
            "process.owner": "root",
            "process.user.id": 0,
            "kmsg.process.container.id": "4c01",
            "kmsg.attribution.source": "exec_trace",
            "kmsg.process.derived": True,
        }
    )
    assert told.container == "4c01"
    assert told.facts == (
        ("command", "dmesg -C 'a b'"),
        ("user", "root (uid 0)"),
        ("found in", "exec_trace"),
        ("derived", "worked out, not read"),
    )


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["err", "info", "x"]), inner),
)
NAMES = (
    "kmsg.process.ancestors", "kmsg.hidden.sample", "kmsg.hidden.by_level", "kmsg.hidden.records", "kmsg.coalesced",
    "kmsg.actors", "process.command_args", "process.owner", "process.user.id", "process.pid", "kmsg.expected",
    "kmsg.action", "kmsg.hidden.sample_omitted",
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING), ANYTHING)
def test_attributes_of_any_type_are_told_somehow(attributes: dict[str, Any], body: Any) -> None:
    story(attributes, body=body)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain ü €", "plain ü €"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\tc\0", "a\\x0ab\\x09c\\x00"),
        ("\u202etxt.exe\u200b", "\\u202etxt.exe\\u200b"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_hostile_text_is_made_visible(hostile: str, shown: str) -> None:
    assert visible(hostile) == shown


@settings(deadline=None)
@given(st.text())
def test_visible_text_is_printable(text: str) -> None:
    assert visible(text).isprintable()
