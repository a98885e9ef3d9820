"""Looking for a text in what events say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kmsg_exporter.collector.event import StoredEvent
from kmsg_exporter.collector.moments import rfc3339
from kmsg_exporter.collector.question import Question, read_question
from kmsg_exporter.collector.reading import Reading, where
from kmsg_exporter.collector.search import search
from kmsg_exporter.collector.store import Store

NOW_NS = 1_770_000_000_000_000_000
SAMPLE = ['<3>[ 1.0] EXT4-fs error (device "sda2"): 100% of C:\\x_y', "<6>[ 2.0] Grüße, ß"]


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Reading]:
    with Store(tmp_path / "events.sqlite3", clock_ns=lambda: NOW_NS) as store:
        for number, sample in enumerate([SAMPLE, [], SAMPLE, []]):
            attributes = {"kmsg.hidden.sample": sample, "kmsg.hidden.by_level": {"err": 1}, "process.pid": 4242}
            body = f"dmesg was emptied, number {number}."
            document = json.dumps({"body": body, "resource": {}, "attributes": attributes}, ensure_ascii=False)
            store.add([StoredEvent(f"{number}", NOW_NS + number, "n", "", "", "", document)]).result()
        yield Reading(store.path)


def uids(reading: Reading, **asked: Any) -> list[str]:
    return [each.event.uid for each in reading.page(Question(**asked), limit=10).events]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ext4-FS ERROR", ["2", "0"]),
        ('(device "sda2")', ["2", "0"]),
        ("100%", ["2", "0"]),
        ("C:\\x_y", ["2", "0"]),
        ("Grüße, ß", ["2", "0"]),
        ("x-y", []),
        ("1%0", []),
        ("number 1", ["1"]),
    ],
)
def test_a_text_is_found_as_it_stands_whatever_its_case(reading: Reading, text: str, found: list[str]) -> None:
    assert uids(reading, q=text) == found


@pytest.mark.parametrize("name", ["kmsg.hidden", "by_level", "process.pid", "resource"])
def test_names_of_attributes_are_not_searched(reading: Reading, name: str) -> None:
    assert uids(reading, q=name) == []


def test_a_search_that_has_no_time_says_how_far_it_got(reading: Reading) -> None:
    conditions, values = where(Question())
    with reading.connected() as connection:
        found = search(connection, Question(q="error"), conditions, values, seconds=0)
    assert (found.seqs, found.stopped, found.stopped_unix_ns) == ([], f"{NOW_NS + 3}-4", NOW_NS + 3)


def test_a_search_goes_on_where_another_stopped(reading: Reading) -> None:
    first = reading.page(Question(q="number"), limit=2)
    second = reading.page(Question(q="number"), limit=2, before=first.next_cursor)
    assert [each.event.uid for page in (first, second) for each in page.events] == ["3", "2", "1", "0"]
    back = reading.page(Question(q="number"), limit=2, after=second.previous_cursor)
    assert [each.event.uid for each in back.events] == ["3", "2"]


def test_what_is_older_than_where_a_search_stopped_misses_nothing_of_its_millisecond() -> None:
    """The link's time is of milliseconds and excludes itself."""
    for stopped in (NOW_NS, NOW_NS + 1, NOW_NS + 999_999):
        asked = read_question({"until": rfc3339(stopped, up=True)}, now_ns=NOW_NS).until_ns
        assert asked is not None
        assert stopped <= asked < stopped + 10**6
