"""What the collector shows to people, over real HTTP."""

from __future__ import annotations

import re
import sqlite3
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from kmsg_exporter.collector import counting, server
from kmsg_exporter.collector.server import CollectorServer
from kmsg_exporter.collector.silence import Silence

DAY_NS = 86_400 * 10**9
HOSTILE = "<script>alert(1)</script>\x1b[31m\"'&{{7*7}}\u202e"
ALL = "/?since=all"
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
    html = re.sub(r"</t[dh]>", " ", html)
    return " ".join(re.sub(r"<[^>]+>", "", html).replace("&nbsp;", " ").split())


def test_an_empty_collector_says_what_to_do_next(client: Any) -> None:
    page = client.get("/")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:{client.port} kmsg-exporter run" in page.text


def test_the_page_tells_node_actor_chain_and_what_was_hidden(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record)))
    page = client.get(ALL).text
    text = text_of(page)
    assert "1 emptying in all on 1 node; 1 hid errors or worse" in text
    assert "node-7 dmesg (/usr/bin/dmesg, pid 4242) ← cleanup.sh ← cron 812 records hidden 3 err 809 info" in text
    assert "[   12.345678] </span>Out of memory: Killed process 39710 (postgres)" in page
    assert 'href="/events/uid-1"' in page
    assert 'href="/node?node=node-7"' in page
    assert '<time datetime="2024-02-03T04:05:06Z">' in page


def test_an_event_has_a_page_with_its_whole_story(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record)))
    answer = client.get("/events/uid-1")
    assert answer.status == 200
    text = text_of(answer.text)
    assert "dmesg on node-7 was emptied." in text
    assert "812 records, 3 of them errors or worse" in text
    assert "err 3 info 809" in text
    assert 'href="/api/events/uid-1"' in answer.text
    assert "cron /usr/sbin/cron pid 812 cleanup.sh /bin/bash pid 4241 dmesg /usr/bin/dmesg pid 4242 clear" in text
    assert "2 records; 810 more were hidden that the agent did not send." in text
    assert "kmsg.hidden.by_level {&#34;err&#34;: 3, &#34;info&#34;: 809}" in text


def test_an_event_that_names_nobody_says_so(client: Any, record: Any, body: Any) -> None:
    client.send(body(record("a")))
    for target in (ALL, "/events/a"):
        text = text_of(client.get(target).text)
        assert "Nobody could be named: no traced call explains it." in text
        assert "How many records were hidden is not known." in text


def test_hostile_text_is_escaped_and_made_visible_everywhere(
    client: Any, server: CollectorServer, record: Any, body: Any
) -> None:
    known(server, (HOSTILE, HOSTILE, 3600))
    names = (
        "kmsg.process.comm", "process.executable.path", "kmsg.process.origin", "process.owner", "kmsg.action",
        "kmsg.process.container.id", "process.pid", HOSTILE,
    )  # fmt: skip
    attributes: dict[str, Any] = dict.fromkeys(names, HOSTILE)
    attributes |= {key: [HOSTILE] for key in ("kmsg.process.ancestors", "kmsg.actors", "process.command_args")}
    attributes |= {"kmsg.hidden.sample": [f"<3>{HOSTILE}"], "kmsg.coalesced": 2}
    client.send(body(record("a", attributes=attributes, body={"stringValue": HOSTILE}), node=HOSTILE))
    query = urlencode(dict.fromkeys(("node", "cluster", "comm", "exe", "origin", "q"), HOSTILE))
    pages = [ALL, "/events/a", f"/node?{urlencode({'node': HOSTILE})}", "/agents", f"{ALL}&{query}", f"/node?{query}"]
    for target in pages:
        answer = client.get(target)
        page = re.sub(r'<script src="/static/[a-z]+.js" defer></script>', "", answer.text)
        assert answer.status == 200
        assert "<script" not in page
        assert "\x1b" not in page
        assert all(character.isprintable() or character == "\n" for character in page)
    assert client.get(ALL).text.count(SHOWN) >= 5
    assert client.get("/events/a").text.count(SHOWN) >= 12


def test_a_hostile_host_header_is_escaped(client: Any) -> None:
    answer = client.request("GET", "/", headers={"Host": "<script>"})
    assert "<script>" not in answer.text


def test_the_list_is_paged_both_ways_and_keeps_its_filter(client: Any, record: Any, body: Any) -> None:
    client.send(body(*[record(f"{number:03}") for number in range(70)]))
    client.send(body(record("other"), node="node-8"))

    def follow(target: str | None, name: str) -> list[str]:
        seen: list[str] = []
        while target:
            page = client.get(target).text
            seen += re.findall(r'class="ago" href="/events/([^"]+)"', page)
            link = re.search(rf'href="([^"]+)">{name}', page)
            last.append(target)
            target = link[1].replace("&amp;", "&") if link else None
        return seen

    last: list[str] = []
    everything = [f"{number:03}" for number in reversed(range(70))]
    assert follow(f"{ALL}&node=node-7", "Older events") == everything
    back = client.get(last[-1]).text
    link = re.search(r'href="([^"]+)">← Newer events', back)
    assert link is not None
    assert follow(link[1].replace("&amp;", "&"), "← Newer events") == everything[30:60] + everything[0:30]
    assert "↑ Back to the newest" in back


def test_a_filter_that_matches_nothing_says_so_and_when_the_newest_was(client: Any, record: Any, body: Any) -> None:
    client.send(body(record("a")))
    for target in ("/", f"{ALL}&comm=nobody"):
        text = text_of(client.get(target).text)
        assert "Nothing that is stored here matches" in text
        assert "The newest event of all is of 2024-02-03 04:05:06 UTC" in text


def test_filters_hold_together_and_each_can_be_taken_away(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record, "a")))
    client.send(body(told(record, "b"), node="node-8"))
    client.send(body(record("c"), node="node-8"))
    page = client.get(f"{ALL}&node=node-8&severe=1").text
    assert re.findall(r'data-uid="([^"]+)"', page) == ["b"]
    assert 'href="/?since=all&amp;severe=1">node <strong>node-8</strong>' in page
    assert 'href="/?since=all&amp;node=node-8">hid errors or worse' in page
    assert re.findall(r'data-uid="([^"]+)"', client.get(f"{ALL}&unnamed=1").text) == ["c"]
    assert re.findall(r'data-uid="([^"]+)"', client.get(f"{ALL}&q=OUT+of+memory&node=").text) == ["b", "a"]


def test_who_and_where_are_counted_with_links_to_their_events(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record, "a"), told(record, "b")))
    client.send(body(told(record, "c"), node="node-8"))
    page = client.get(ALL).text
    text = text_of(page)
    assert "dmesg ← cleanup.sh /usr/bin/dmesg 3 2" in text
    assert "node-7 2 2" in text
    assert "node-8 1 1" in text
    assert 'href="/?since=all&amp;comm=dmesg&amp;exe=%2Fusr%2Fbin%2Fdmesg&amp;origin=cleanup.sh"' in page


def test_of_names_without_end_those_with_the_most_are_counted(
    client: Any, record: Any, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MAX_NAMES", 20)
    for number in range(30):
        often = {"kmsg.process.comm": f"often-{number}", "kmsg.coalesced": 100} if number % 5 == 0 else {}
        attributes = {"kmsg.process.comm": f"once-{number}", **often}
        client.send(body(record(f"{number}", attributes=attributes), node=f"node-{number}"))
    text = text_of(client.get(ALL).text)
    assert "624 emptyings in all on over 20 nodes" in text
    for number in range(0, 30, 5):
        assert f"often-{number} 100 1" in text
        assert f"node-{number} 100 0" in text
    assert text.count("over 12 more") == 2
    assert "on 6 nodes" in text_of(client.get(f"{ALL}&q=often").text)


def test_long_names_are_bounded_by_what_they_take(
    client: Any, record: Any, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "MAX_NAMES_BYTES", 40_000)
    for number in range(40):
        often = {"kmsg.coalesced": 100} if number % 10 == 0 else {}
        path = {"process.executable.path": f"/{number}/{'x' * 2_000}", **often}
        client.send(body(record(f"{number}", attributes=path)))
    text = text_of(client.get(ALL).text)
    assert "436 emptyings" in text
    for number in range(0, 40, 10):
        assert re.search(rf"/{number}/x+ 100 1\b", text)
    assert 4 < len(re.findall(r"/\d+/x+ \d+ 1\b", text)) < 20


def test_the_chart_has_a_table_with_the_same_numbers_and_links(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record, "a"), record("b"), record("c", attributes={"kmsg.expected": True})))
    page = client.get("/?since=2024-02-03T00:00:00Z&until=2024-02-04T00:00:00Z").text
    text = text_of(page)
    assert "Sat 3 Feb 04:00 to 04:30 UTC 1 1 1" in text
    assert "3 emptyings, 1 hid errors or worse, 1 expected" in page
    bar = 'href="/?since=2024-02-03T04%3A00%3A00.000Z&amp;until=2024-02-03T04%3A30%3A00.000Z"'
    assert page.count(bar) == 2
    target = bar[6:-1].replace("&amp;", "&")
    assert re.findall(r'data-uid="([^"]+)"', client.get(target).text) == ["c", "b", "a"]


def test_a_node_has_a_page_with_its_history(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record, "a")))
    client.send(body(record("x"), node="node-8"))
    answer = client.get("/node?node=node-7")
    assert answer.status == 200
    assert "1 emptying in all on 1 node" in text_of(answer.text)
    assert re.findall(r'data-uid="([^"]+)"', answer.text) == ["a"]


def test_the_events_of_a_node_are_linked_in_their_order(client: Any, record: Any, body: Any) -> None:
    for number, uid in enumerate("abc"):
        client.send(body(record(uid, timeUnixNano=str(1706933106789000000 + number))))
    page = client.get("/events/b").text
    assert re.search(r'href="/events/a" [^>]*>← The node&#39;s event before|href="/events/a" [^>]*>← The node\'s', page)
    assert re.search(r'href="/events/c" [^>]*>The next', page)


def test_another_event_of_the_same_identifier_is_marked(
    client: Any, server: CollectorServer, record: Any, body: Any
) -> None:
    client.send(body(told(record, "a")))
    with sqlite3.connect(server.data_dir / "events.sqlite3") as store:
        (columns,) = store.execute("SELECT group_concat(name) FROM pragma_table_info('event') WHERE name != 'seq'")
        copied = columns[0].replace("variant", "1")
        store.execute(f"INSERT INTO event ({columns[0]}) SELECT {copied} FROM event")  # noqa: S608
        store.execute("INSERT INTO document SELECT 2, text FROM document")
    store.close()
    first, other = (client.get(f"/events/a{query}").text for query in ("", "?variant=1"))
    assert "Another event claims the same identifier: variant 1 . This is the first that came." in text_of(
        first
    ).replace("variant 1.", "variant 1 .")
    assert 'href="/events/a?variant=1"' in first
    assert "This is variant 1." in text_of(other)
    assert client.get("/api/events/a?variant=1").json["variant"] == 1
    assert client.get("/events/a?variant=2").status == 404


@pytest.fixture
def for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """So long the collector has listened, and nobody else is to blame for a silence."""
    monkeypatch.setattr(server, "Silence", lambda seconds, opened_ns: Silence(seconds, opened_ns - DAY_NS))


@pytest.mark.usefixtures("for_a_day")
def test_agents_are_listed_with_what_is_missing_of_them(client: Any, server: CollectorServer) -> None:
    known(server, ("i-1", "node-1", 10), ("i-2", "node-2", 3600), ("i-3", "node-3", 7200, None))
    with sqlite3.connect(server.data_dir / "events.sqlite3") as store:
        store.execute("INSERT INTO stream VALUES ('i-1', 'b-1', 1, 10, 8), ('i-1', 'b-2', 13, 13, 1)")
    store.close()
    text = text_of(client.get("/agents").text)
    assert "all 3 silent 1 events missing 1 reporting 1 say no hello 1" in text
    assert "node-2 silent 1 h ago 0 0.9.0" in text
    assert "node-1 reporting" in text
    assert "node-3 says no hello 2 h ago 0" in text
    assert re.findall(r'class="node" href="/node\?node=([^"]+)"', client.get("/agents?state=missing").text) == [
        "node-1"
    ]
    assert client.get("/agents?state=bogus").status == 400
    state = text_of(client.get("/").text)
    assert (
        "1 agent reports 1 silent last heard of 1 hour ago: node-2 1 say no hello 4 events missing of 1 agent" in state
    )
    assert "4 events missing" in text_of(client.get("/node?node=node-1").text)


def test_who_could_not_be_heard_because_the_collector_was_away_is_not_silent(
    client: Any, server: CollectorServer
) -> None:
    known(server, ("i-1", "node-1", 10), ("i-2", "node-2", 3600), ("i-3", "node-3", 7200, None))
    assert "all 3 silent 0 events missing 0 reporting 2 say no hello 1" in text_of(client.get("/agents").text)
    assert "2 agents report 1 say no hello no event is missing" in text_of(client.get("/").text)
    assert "silent since" not in client.get("/node?node=node-2").text


def known(server: CollectorServer, *agents: tuple[Any, ...]) -> None:
    """Agents in the store: instance, node, seconds since it was heard of, and None for one that never says hello."""
    with sqlite3.connect(server.data_dir / "events.sqlite3") as store:
        for instance, node, seconds, *hello in agents:
            seen = time.time_ns() - seconds * 10**9
            store.execute(
                "INSERT INTO agent VALUES (?, '', ?, '', '0.9.0', ?, ?, ?)",
                (instance, node, seen, seen, None if hello else seen),
            )
    store.close()


@pytest.mark.parametrize(
    "target",
    ["/nope", "/events/unknown", "/events/", "/events/a/b", "/node", "/node?node=x", "/static/", "/static/../app.py"],
)
def test_what_is_not_there_is_404(client: Any, target: str) -> None:
    answer = client.get(target)
    assert answer.status == 404
    assert "404 Not Found" in answer.text


@pytest.mark.parametrize(
    "target", ["/", "/agents", "/events/a", "/api/events", "/-/healthy", "/-/ready", "/static/style.css"]
)
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
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers


def test_no_page_has_an_inline_script_or_style_or_anything_from_elsewhere(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record)))
    for target in (ALL, "/events/uid-1", "/agents", "/node?node=node-7", "/nope"):
        page = client.get(target).text
        assert set(re.findall(r"<script[^>]*>[^<]*", page)) <= {
            f'<script src="/static/{name}.js" defer>' for name in ("keys", "live", "copy")
        }
        assert not re.search(r" style=| on[a-z]+=", page)
        assert not re.search(r'(?:href|src|action|data-live|data-copy)="(?!/|#|data:,)', page)


def test_the_page_knows_where_to_ask_for_what_is_new(client: Any, record: Any, body: Any) -> None:
    client.send(body(told(record)))
    page = client.get(f"{ALL}&node=node-7").text
    live = re.search(r'data-live="([^"]+)"', page)
    assert live is not None
    assert live[1] == "/api/events?node=node-7&amp;limit=20&amp;arrived_after=1"
    for still in ("&until=now", "&before=1706933106789000001-9"):
        changed = client.get(f"{ALL}{still}").text
        assert ("data-live" in changed) == (still == "")


def test_health_is_plain(client: Any) -> None:
    assert client.get("/-/healthy").text == "healthy\n"
    assert client.get("/-/ready").text == "ready\n"
