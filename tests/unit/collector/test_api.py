"""`GET /api/events`, over real HTTP."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

import pytest

AT_NS = 1706933106789000000


def uids(answer: Any) -> list[str]:
    return [event["uid"] for event in answer["events"]]


def test_the_api_gives_events_with_everything_they_carry(client: Any, record: Any, body: Any) -> None:
    attributes = {
        "process.pid": 4242,
        "kmsg.hidden.records": 9,
        "kmsg.hidden.by_level": {"err": 2},
        "kmsg.coalesced": 3,
    }
    client.send(body(record("a", attributes=attributes, body={"stringValue": "emptied"})))
    answer = client.get("/api/events").json
    (event,) = answer["events"]
    assert (answer["next"], answer["previous"], answer["arrived"]) == (None, f"{AT_NS}-1", "1")
    assert event["time"] == "2024-02-03T04:05:06.789Z"
    assert event["time_unix_nano"] == "1706933106789000000"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["received"])
    assert (event["uid"], event["variant"], event["node"], event["cluster"], event["comm"]) == (
        "a",
        0,
        "node-7",
        "",
        "",
    )
    assert (event["expected"], event["emptyings"], event["hidden"], event["severe"]) == (False, 3, 9, 2)
    assert (event["event_name"], event["body"], event["severity_number"]) == ("kmsg.emptied", "emptied", 13)
    assert event["resource"] == {"service.name": "kmsg-exporter", "host.name": "node-7"}
    assert event["attributes"] == {"event.name": "kmsg.emptied", "log.record.uid": "a", **attributes}
    assert client.get("/api/events/a").json == event
    assert client.get("/api/events/b").json == {"code": 5, "message": "No event with this identifier is stored here."}


def test_pages_go_back_and_forth_and_hold_each_event_once(client: Any, record: Any, body: Any) -> None:
    comm = {"kmsg.process.comm": "dmesg"}
    client.send(body(*[record(f"{number}", attributes=comm) for number in range(7)]))
    client.send(body(record("x"), node="node-8"))
    first = client.get("/api/events?comm=dmesg&limit=3").json
    second = client.get(f"/api/events?comm=dmesg&limit=3&before={first['next']}").json
    third = client.get(f"/api/events?comm=dmesg&limit=3&before={second['next']}").json
    assert [uids(page) for page in (first, second, third)] == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
    assert third["next"] is None
    back = client.get(f"/api/events?comm=dmesg&limit=3&after={third['previous']}").json
    again = client.get(f"/api/events?comm=dmesg&limit=3&after={back['previous']}").json
    assert [uids(page) for page in (back, again)] == [["3", "2", "1"], ["6", "5", "4"]]
    newest = client.get(f"/api/events?comm=dmesg&limit=3&after={again['previous']}").json
    assert (uids(newest), newest["previous"]) == ([], again["previous"])
    assert uids(client.get("/api/events?node=node-8").json) == ["x"]


def test_a_follower_misses_nothing_that_comes_late(client: Any, record: Any, body: Any) -> None:
    start = client.get("/api/events").json["arrived"]
    client.send(body(record("new"), record("newer", timeUnixNano=str(AT_NS + 10**9))))
    first = client.get(f"/api/events?limit=1&arrived_after={start}").json
    second = client.get(f"/api/events?limit=1&arrived_after={first['arrived']}").json
    assert [uids(page) for page in (first, second)] == [["new"], ["newer"]]
    client.send(body(record("late", timeUnixNano=str(AT_NS - 10**9)), record("else")))
    third = client.get(f"/api/events?arrived_after={second['arrived']}").json
    assert uids(third) == ["late", "else"]
    assert client.get(f"/api/events?arrived_after={third['arrived']}").json == {
        "events": [],
        "arrived": third["arrived"],
        "more": False,
    }


def test_an_answer_ends_behind_4_mib_of_events_and_goes_on_there(client: Any, record: Any, body: Any) -> None:
    large = {"body": {"stringValue": "x" * 250_000}}
    for first in range(0, 40, 10):
        assert client.send(body(*(record(f"{number:02}", **large) for number in range(first, first + 10)))).text == "{}"
    asked = "/api/events?limit=500"
    walks: dict[str, list[list[str]]] = {"next": [], "previous": [], "arrived": []}
    ways = (("next", "", "before"), ("previous", "1-1", "after"), ("arrived", "0", "arrived_after"))
    for cursor, begin, parameter in ways:
        at, more = begin, True
        while more:
            answer = client.get(f"{asked}&{parameter}={at}")
            assert len(answer.body) < 4_500_000
            walks[cursor].append(uids(answer.json))
            at = answer.json[cursor]
            more = answer.json["more"] if cursor == "arrived" else bool(at) and bool(answer.json["events"])
    wanted = [f"{number:02}" for number in range(40)]
    assert [*chain(*walks["next"])] == wanted[::-1]
    assert [uid for each in walks["previous"] for uid in each[::-1]] == wanted
    assert [*chain(*walks["arrived"])] == wanted
    assert [len(each) for each in walks["arrived"]] == [16, 16, 8]


def test_an_event_in_the_list_is_the_event_by_itself(client: Any, record: Any, body: Any) -> None:
    attributes = {"kmsg.process.comm": '"\\\x00\u202e\U0001f600', "a": [], "b": {}, "kmsg.coalesced": 3}
    client.send(body(record("a", attributes=attributes, body={"doubleValue": "NaN"})))
    listed, alone = client.get("/api/events"), client.get("/api/events/a")
    assert listed.headers["content-type"] == alone.headers["content-type"] == "application/json"
    assert listed.json["events"] == [alone.json]
    assert list(listed.json["events"][0]) == list(alone.json)


def test_a_follower_hears_only_of_what_it_asked_for(client: Any, record: Any, body: Any) -> None:
    client.send(body(record("a", attributes={"kmsg.hidden.sample": ["<3>[    1.0] Out of memory"]}), record("b")))
    assert uids(client.get("/api/events?arrived_after=0&q=out+of").json) == ["a"]
    client.send(body(record("c"), node="node-8"))
    assert uids(client.get("/api/events?arrived_after=0&node=node-8").json) == ["c"]


def test_a_cursor_from_a_store_that_had_more_starts_at_the_end(client: Any, record: Any, body: Any) -> None:
    client.send(body(record("a")))
    assert client.get("/api/events?arrived_after=99").json == {"events": [], "arrived": "1", "more": False}


def test_every_filter_is_the_pages(client: Any, record: Any, body: Any) -> None:
    severe = {"kmsg.hidden.by_level": {"err": 1}, "process.executable.path": "/usr/bin/dmesg"}
    client.send(body(record("a", attributes=severe), record("b", attributes={"kmsg.expected": True})))
    for query, wanted in (
        ("severe=1", ["a"]),
        ("unexpected=1", ["a"]),
        ("exe=/usr/bin/dmesg", ["a"]),
        ("unnamed=1", ["b"]),
        ("since=2024-02-03T04:05:07Z", []),
        ("until=2024-02-03T04:05:07Z", ["b", "a"]),
        ("since=1706933106&until=1706933107", ["b", "a"]),
    ):
        assert uids(client.get(f"/api/events?{query}").json) == wanted, query


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: '0' is not a number from 1 to 500"),
        ("limit=501", "limit: '501' is not a number from 1 to 500"),
        ("limit=many", "limit: 'many' is not a number from 1 to 500"),
        ("before=x", "before: 'x' is not a cursor that this collector gave"),
        ("after=1-", "after: '1-' is not a cursor that this collector gave"),
        ("arrived_after=1-1", "arrived_after: '1-1' is not a cursor that this collector gave"),
        ("before=1-1&after=1-1", "before and after: only one of them can be followed at a time"),
        ("severe=yes", "severe: 'yes' is neither true nor false"),
    ],
)
def test_a_wrong_parameter_is_400_and_named(client: Any, query: str, message: str) -> None:
    answer = client.get(f"/api/events?{query}")
    assert (answer.status, answer.json) == (400, {"code": 3, "message": message})


def test_an_unknown_path_of_the_api_is_404_in_json(client: Any) -> None:
    assert client.get("/api/nope").json == {"code": 5, "message": "Not Found"}
