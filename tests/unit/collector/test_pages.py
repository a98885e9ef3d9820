"""What the collector shows, over real HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest

HOSTILE = "<script>alert(1)</script>\x1b[31m\"'&{{7*7}}\u202e"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[31m&#34;&#39;&amp;{{7*7}}\\u202e"


def told(record: Any, uid: str = "uid-1") -> dict[str, Any]:
    attributes = {
        "kmsg.process.comm": "dmesg",
        "process.executable.path": "/usr/bin/dmesg",
        "process.pid": 4242,
        "kmsg.process.origin": "cleanup.sh",
        "kmsg.process.ancestors": ["4241 cleanup.sh /bin/bash", "812 cron /usr/sbin/cron"],
        "kmsg.action": "clear",
        "kmsg.hidden.records": 812,
        "kmsg.hidden.by_level": {"err": 3, "info": 809},
        "kmsg.hidden.sample": [
            "<3>[   12.345678] Out of memory: Killed process 39710 (postgres)",
            "<6>[   13.000000] up",
        ],
        "kmsg.hidden.sample_omitted": 810,
    }
    made: dict[str, Any] = record(uid, attributes=attributes, body={"stringValue": "dmesg on node-7 was emptied."})
    return made


def text_of(html: str) -> str:
    """The page's text with single blanks, as a person reads it."""
    return " ".join(re.sub(r"<[^>]+>", "", html).replace("&nbsp;", " ").split())


def test_an_empty_collector_says_what_to_do_next(client: Any) -> None:
    page = client.get("/")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{client.port} kmsg-exporter run" in page.text


def test_the_page_tells_node_actor_chain_and_what_was_hidden(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record)))
    page = client.get("/").text
    text = text_of(page)
    assert "node-7" in text
    assert "dmesg (/usr/bin/dmesg, pid 4242) ← cleanup.sh ← cron 812 records hidden 3 err 809 info" in text
    assert "[   12.345678] </span>Out of memory: Killed process 39710 (postgres)" in page
    assert "The hidden log: 2 of 812 records" in text
    assert 'href="/events/uid-1"' in page
    assert '<time datetime="2024-02-03T04:05:06Z">' in page


def test_an_event_has_a_page_with_its_whole_story(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record)))
    answer = client.get("/events/uid-1")
    assert answer.status == 200
    text = text_of(answer.text)
    assert "dmesg on node-7 was emptied." in text
    assert "cron /usr/sbin/cron pid 812 cleanup.sh /bin/bash pid 4241 dmesg /usr/bin/dmesg pid 4242 clear" in text
    assert "2 records; 810 more were hidden that the agent did not send." in text
    assert "kmsg.hidden.by_level{&#34;err&#34;: 3, &#34;info&#34;: 809}" in text


def test_an_event_that_names_nobody_says_so(client: Any, record: Any, body: Any) -> None:
    client.send(body(record("a")))
    for target in ("/", "/events/a"):
        text = text_of(client.get(target).text)
        assert "Nobody could be named: no traced call explains it." in text
        assert "How many records were hidden is not known." in text


def test_hostile_text_is_escaped_and_made_visible_everywhere(client: Any, record: Any, body: Any) -> None:
    names = (
        "kmsg.process.comm", "process.executable.path", "kmsg.process.origin", "process.owner", "kmsg.action",
        "kmsg.process.container.id", "process.pid", HOSTILE,
    )  # fmt: skip
    attributes: dict[str, Any] = dict.fromkeys(names, HOSTILE)
    attributes |= {key: [HOSTILE] for key in ("kmsg.process.ancestors", "kmsg.actors", "process.command_args")}
    attributes |= {"kmsg.hidden.sample": [f"<3>{HOSTILE}"], "kmsg.coalesced": 2}
    client.send(body(record("a", attributes=attributes, body={"stringValue": HOSTILE}), node=HOSTILE))
    for target in ("/", "/events/a", f"/?node={'%3Cscript%3E'}"):
        page = client.get(target).text
        assert "<script" not in page
        assert page.isascii() or all(character.isprintable() or character == "\n" for character in page)
    assert client.get("/").text.count(SHOWN) >= 5
    assert client.get("/events/a").text.count(SHOWN) >= 12


def test_a_hostile_host_header_is_escaped(client: Any) -> None:
    answer = client.request("GET", "/", headers={"Host": "<script>"})
    assert "<script>" not in answer.text


def test_the_list_is_paged_and_keeps_its_filter(client: Any, record: Any, body: Any) -> None:
    client.send(body(*[record(f"{number:03}") for number in range(120)]))
    client.send(body(record("other"), node="node-8"))
    seen: list[str] = []
    target: str | None = "/?node=node-7"
    while target:
        page = client.get(target).text
        seen += re.findall(r'class="ago" href="/events/([^"]+)"', page)
        older = re.search(r'<a href="([^"]+)">Older events', page)
        target = older[1].replace("&amp;", "&") if older else None
    assert seen == [f"{number:03}" for number in reversed(range(120))]


def test_a_filter_that_matches_nothing_says_so(client: Any, record: Any, body: Any) -> None:
    client.send(body(record("a")))
    assert "Nothing that is stored here matches." in client.get("/?node=node-9").text


def test_the_api_gives_events_with_everything_they_carry(client: Any, record: Any, body: Any) -> None:
    client.send(body(record("a", attributes={"process.pid": 4242}, body={"stringValue": "emptied"})))
    answer = client.get("/api/events").json
    (event,) = answer["events"]
    assert answer["next"] is None
    assert event["time"] == "2024-02-03T04:05:06.789Z"
    assert event["time_unix_nano"] == "1706933106789000000"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["received"])
    assert (event["uid"], event["node"], event["comm"]) == ("a", "node-7", "")
    assert (event["event_name"], event["body"], event["severity_number"]) == ("kmsg.emptied", "emptied", 13)
    assert event["resource"] == {"service.name": "kmsg-exporter", "host.name": "node-7"}
    assert event["attributes"] == {"event.name": "kmsg.emptied", "log.record.uid": "a", "process.pid": 4242}


def test_the_api_is_paged_by_cursor_and_filtered(client: Any, record: Any, body: Any) -> None:
    comm = {"kmsg.process.comm": "dmesg"}
    client.send(body(*[record(f"{number}", attributes=comm) for number in range(5)]))
    client.send(body(record("x"), node="node-8"))
    first = client.get("/api/events?comm=dmesg&limit=3").json
    second = client.get(f"/api/events?comm=dmesg&limit=3&before={first['next']}").json
    assert [event["uid"] for event in (*first["events"], *second["events"])] == ["4", "3", "2", "1", "0"]
    assert second["next"] is None
    assert [event["uid"] for event in client.get("/api/events?node=node-8").json["events"]] == ["x"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: '0' is not a number from 1 to 500"),
        ("limit=501", "limit: '501' is not a number from 1 to 500"),
        ("limit=-1", "limit: '-1' is not a number from 1 to 500"),
        ("limit=many", "limit: 'many' is not a number from 1 to 500"),
        ("before=x", "before: 'x' is not a cursor that this collector gave"),
    ],
)
def test_a_wrong_parameter_is_400_and_named(client: Any, query: str, message: str) -> None:
    answer = client.get(f"/api/events?{query}")
    assert (answer.status, answer.json) == (400, {"code": 3, "message": message})


@pytest.mark.parametrize(
    "target", ["/nope", "/events/unknown", "/events/", "/events/a/b", "/static/", "/static/../app.py"]
)
def test_what_is_not_there_is_404(client: Any, target: str) -> None:
    answer = client.get(target)
    assert answer.status == 404
    assert "404 Not Found" in answer.text


def test_an_unknown_path_of_the_api_is_404_in_json(client: Any) -> None:
    assert client.get("/api/nope").json == {"code": 5, "message": "Not Found"}


@pytest.mark.parametrize("target", ["/", "/events/a", "/api/events", "/-/healthy", "/-/ready", "/static/style.css"])
def test_pages_answer_get_and_head_and_nothing_else(client: Any, record: Any, body: Any, target: str) -> None:
    client.send(body(record("a")))
    assert client.get(target).status == 200
    head = client.request("HEAD", target)
    assert (head.status, head.body) == (200, b"")
    refused = client.request("POST", target)
    assert refused.status == 405
    assert set(refused.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("target", ["/", "/nope", "/api/events", "/v1/logs", "/-/healthy"])
def test_every_answer_has_the_security_headers_and_no_cookie(client: Any, target: str) -> None:
    headers = client.get(target).headers
    assert headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers


def test_no_page_has_a_script_or_anything_from_elsewhere(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record)))
    for target in ("/", "/events/uid-1", "/nope"):
        page = client.get(target).text
        assert "<script" not in page
        assert " style=" not in page
        assert not re.search(r'(?:href|src)="(?!/|#|data:,)', page)


def test_health_is_plain(client: Any) -> None:
    assert client.get("/-/healthy").text == "healthy\n"
    assert client.get("/-/ready").text == "ready\n"
