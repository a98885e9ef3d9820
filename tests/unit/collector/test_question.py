"""What is asked for, out of a URL."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.collector.question import Question, read_question
from kmsg_exporter.errors import DecodeError

NOW_NS = 1_770_000_000_000_000_000  # 2026-02-02 02:40 UTC
SECOND_NS = 10**9


def asked(zone: timezone = UTC, **query: str) -> Question:
    return read_question(query, now_ns=NOW_NS, zone=zone)


def test_nothing_is_asked_of_an_empty_query_and_of_empty_fields() -> None:
    assert asked() == asked(node="", since="", severe="", q=" ", comm="") == Question()


def test_everything_that_can_be_asked() -> None:
    question = asked(
        node="n", cluster="c", comm="dmesg", exe="/x", origin="o", severe="1", unexpected="true", q=" oom "
    )
    assert question == Question(
        node="n", cluster="c", comm="dmesg", exe="/x", origin="o", severe=True, unexpected=True, q="oom"
    )


@pytest.mark.parametrize(
    ("text", "unix_seconds"),
    [
        ("90s", 1_769_999_910),
        ("24h", 1_769_913_600),
        ("7d", 1_769_395_200),
        ("1769999910", 1_769_999_910),
        ("1769999910.5", 1_769_999_910.5),
        ("2026-02-02T01:00:00Z", 1_769_994_000),
        ("2026-02-02 01:00", 1_769_994_000),
        ("2026-02-02T02:00:00+01:00", 1_769_994_000),
        ("2026-02-02T02:00:00 01:00", 1_769_994_000),
        ("2026-02-02", 1_769_990_400),
    ],
)
def test_times_are_spans_moments_or_seconds(text: str, unix_seconds: float) -> None:
    assert asked(since=text).since_ns == int(unix_seconds * 10) * SECOND_NS // 10


def test_a_time_without_a_zone_is_of_the_collectors() -> None:
    assert asked(zone=timezone(timedelta(hours=1)), until="2026-02-02 02:00").until_ns == 1_769_994_000 * SECOND_NS


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"since": "yesterday"}, "since: 'yesterday' is no time: write a span as 90m, 24h or 7d"),
        ({"since": "1h", "until": "2h"}, "since: it is not before until"),
        ({"severe": "yes"}, "severe: 'yes' is neither true nor false"),
        ({"q": "x" * 201}, "q: a text of 201 characters is too long, at most 200 are searched for"),
    ],
)
def test_what_can_not_be_understood_is_named(query: dict[str, str], message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        read_question(query, now_ns=NOW_NS)
    assert str(caught.value).startswith(message)


@given(st.text())
def test_any_text_is_a_time_or_an_error(text: str) -> None:
    try:
        question = asked(since=text)
    except DecodeError:
        return
    assert question.since_ns is None or 0 <= question.since_ns < 2**63
