"""The collector's pages in Chromium."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Page
from fleet import fill
from person import Person

from kmsg_exporter.collector.schema import STORE_NAME
from kmsg_exporter.collector.server import CollectorServer

Send = Callable[..., None]
PAGES = ("/", "/?since=all&severe=1", "/agents", "/node?node=fra-1-worker-076", "/nope")


class Elsewhere(socketserver.ThreadingTCPServer):
    """Another server. Whoever comes to it was sent by something that was planted."""

    daemon_threads = True

    def __init__(self) -> None:
        self.callers: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Caller)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Caller(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, Elsewhere)
        server.callers.append(self.rfile.readline(200))


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_planted_markup_does_not_run_and_fetches_nothing(person: Person, send: Send, elsewhere: Elsewhere) -> None:
    there = f"http://127.0.0.1:{elsewhere.port}"
    planted = (
        f"<script>ran=1;fetch('{there}/script')</script><img src={there}/img onerror=ran=1>"
        f"\"'><svg onload=ran=1><a href='javascript:ran=1'>{{{{7*7}}}}</svg>"
    )
    send(
        "planted",
        planted,
        planted,
        kmsg__process__comm=planted,
        process__executable__path=planted,
        kmsg__process__origin=planted,
        kmsg__process__ancestors=[f"7 {planted} /{planted}"],
        kmsg__process__container__id=planted,
        kmsg__action=planted,
        kmsg__coalesced=2,
        kmsg__actors=[planted],
        kmsg__hidden__records=2,
        kmsg__hidden__by_level={"err": 2},
        kmsg__hidden__sample=[f"<3>[    1.000000] {planted}"],
    )
    person.look("/")
    links: list[str] = person.sees("[...document.querySelectorAll('[data-uid=planted] a')].map(one => one.href)")
    assert len(links) >= 5
    assert all(link.startswith(f"{person.url}/") for link in links)
    for path in ["/", "/events/planted", "/agents", *(link.removeprefix(person.url) for link in set(links))]:
        person.look(path)
        assert person.sees("typeof ran") == "undefined"
        assert person.sees("document.querySelectorAll('main img, main script, main a[href^=javascript]').length") == 0
        fetched = "performance.getEntriesByType('resource').every(one => one.name.startsWith(location.origin + '/'))"
        assert person.sees(fetched) is True
        if path != "/agents":
            assert planted in person.text()
    person.look("/")
    send("planted-2", planted, planted, kmsg__process__comm=planted)
    person.waits("[...document.querySelectorAll('[data-uid]')].some(one => one.dataset.uid == 'planted-2')")
    assert person.sees("typeof ran") == "undefined"
    assert elsewhere.callers == []


def test_what_arrives_shows_by_itself_without_a_reload(person: Person, send: Send) -> None:
    person.look("/?node=live-1")
    person.sees("stayed = 1")
    assert person.uids() == []
    send("live-1a", "live-1")
    person.waits("document.querySelectorAll('[data-uid]').length == 1")
    send("live-1b", "live-1")
    person.waits("document.querySelectorAll('[data-uid]').length == 2")
    assert person.uids() == ["live-1b", "live-1a"]
    assert person.sees("document.querySelector('.fresh').dataset.uid") == "live-1b"
    assert person.sees("stayed") == 1


def test_nothing_moves_under_a_reader_who_is_told_how_much_is_new(person: Person, send: Send) -> None:
    for number in range(3):
        send(f"read-{number}", "read-1")
    person.look("/?node=read-1", height=400)
    person.press("j")
    before = person.sees("document.querySelector('main').outerHTML")
    send("read-new", "read-1")
    person.waits("document.getElementById('news').innerText == '1 new event: show'")
    send("read-newer", "read-1")
    person.waits("document.getElementById('news').innerText == '2 new events: show'")
    assert person.sees("document.querySelector('main').outerHTML") == before
    assert person.focus() == "read-2"
    person.sees("document.querySelector('#news button').click()")
    person.waits("document.querySelectorAll('[data-uid]').length == 5")
    assert person.focus() == "read-newer"
    assert person.sees("document.getElementById('news').innerText") == ""


def test_a_page_that_nobody_sees_asks_nothing_until_it_is_seen(person: Person, send: Send) -> None:
    person.look("/?node=hidden-1")
    person.sees("""
        unseen = true; asked = 0; timers = [];
        Object.defineProperty(document, 'hidden', {get: () => unseen});
        (() => { const real = fetch; fetch = (...all) => { asked += 1; return real(...all); }; })();
        (() => { const real = setTimeout; setTimeout = (...all) => { timers.push(all[1]); return real(...all); }; })();
        document.dispatchEvent(new Event('visibilitychange'));
    """)
    send("hidden-1a", "hidden-1")
    assert person.sees("[asked, timers.length]") == [0, 0]
    person.sees("unseen = false; document.dispatchEvent(new Event('visibilitychange'))")
    person.waits("document.querySelectorAll('[data-uid]').length == 1")
    assert person.sees("asked") == 2


def test_a_collector_that_is_gone_is_said(person: Person) -> None:
    person.look("/")
    person.sees("fetch = () => Promise.reject(new TypeError('gone'))")
    person.waits(
        "document.getElementById('news').innerText.startsWith('The collector does not answer. This page is of')"
    )


def test_keys_go_through_the_events(person: Person, send: Send) -> None:
    for number in range(3):
        send(f"key-{number}", "keys-1")
    person.look("/?node=keys-1")
    seen = []
    for key in "jjkjjjj":
        person.press(key)
        seen.append(person.focus())
    assert seen == ["key-2", "key-1", "key-2", "key-1", "key-0", "key-0", "key-0"]
    person.press("/")
    assert person.focus() == "q"
    person.press("j")
    assert (person.focus(), person.sees("document.getElementById('q').value")) == ("q", "j")
    person.press("Enter")
    person.waits("new URLSearchParams(location.search).get('q') == 'j' && document.readyState == 'complete'")


def test_the_first_tab_skips_to_the_content_and_the_focus_is_seen(person: Person) -> None:
    person.look("/")
    person.press("Tab")
    assert person.focus() == "skip"
    assert person.sees("document.activeElement.getBoundingClientRect().left >= 0") is True
    person.press("Enter")
    person.waits("document.activeElement.id == 'main'")
    person.press("Tab")
    assert person.sees("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_every_page_reads_and_searches_without_scripts(person: Person, send: Send) -> None:
    send("plain-1", "plain-1", "a sentence", kmsg__hidden__sample=["<3>[    1.000000] quite plainly"])
    person.look("/", scripts=False)
    assert "plain-1" in person.uids()
    assert person.sees("document.querySelectorAll('svg.plot rect').length") > 3
    person.sees("document.getElementById('q').value = 'QUITE plainly'")
    person.sees("document.querySelector('.ask button').click()")
    person.waits("location.search.includes('q=QUITE+plainly') && document.readyState == 'complete'")
    assert person.uids() == ["plain-1"]
    person.look("/events/plain-1", scripts=False)
    assert "quite plainly" in person.text()
    assert person.sees("document.querySelector('[data-copy]').checkVisibility()") is False
    person.look("/", scripts=True)


def test_a_bar_of_the_chart_opens_its_events(person: Person) -> None:
    person.look("/?since=all")
    title = person.sees("document.querySelector('svg.plot a title').textContent")
    person.sees("document.querySelector('svg.plot a').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    person.waits("location.search.includes('until=') && document.readyState == 'complete'")
    assert str(person.sees("document.querySelector('h2 strong').innerText")) in title


def test_an_event_is_copied_as_json(person: Person, send: Send) -> None:
    send("copied-1", "copy-1")
    person.look("/events/copied-1")
    person.sees("navigator.clipboard.writeText = text => { written = text; return Promise.resolve() }")
    person.sees("document.querySelector('[data-copy]').click()")
    person.waits("document.querySelector('[data-copy]').textContent == 'Copied'")
    assert person.sees("JSON.parse(written).uid") == "copied-1"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_window_and_all_text_stands_out(
    person: Person, send: Send, width: int, dark: bool
) -> None:
    long = "x" * 300
    send("wide-1", "wide-1", long, kmsg__process__comm=long, kmsg__process__origin=long, process__command_args=[long])
    for path in (*PAGES, "/events/wide-1", "/?node=wide-1"):
        person.look(path, width=width, dark=dark)
        assert person.sees("document.documentElement.scrollWidth") <= width, path
        assert person.sees(FAINT) == [], path


# Texts that have less than 4.5 to 1 of contrast to what is behind them (WCAG 2, AA), by what they say.
FAINT = """(() => {
  const parts = color => (color.match(/[0-9.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [.2126, .7152, .0722][at], 0);
  const behind = one => {
    for (; one; one = one.parentElement) {
      const color = parts(getComputedStyle(one).backgroundColor);
      if (color.length == 3 || color[3] == 1) return color;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  for (const one of document.querySelectorAll('body *')) {
    if (one.closest('svg, .aloud, .skip') || !one.checkVisibility()) continue;
    if (![...one.childNodes].some(node => node.nodeType == 3 && node.data.trim())) continue;
    const [a, b] = [light(parts(getComputedStyle(one).color)), light(behind(one))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) faint.add(one.tagName + '.' + one.className + ' ' + one.textContent.slice(0, 40));
  }
  return [...faint];
})()"""


@pytest.mark.parametrize("events", [10, 100_000])
def test_few_events_and_very_many_are_shown_alike(page: Page, tmp_path: Path, events: int) -> None:
    fill(tmp_path / STORE_NAME, events, now_ns=time.time_ns())
    with CollectorServer("127.0.0.1", 0, tmp_path) as server:
        person = Person(page, server.url.rstrip("/"))
        for path in ("/", "/?since=all"):
            person.look(path)
            shown = person.uids()
            assert len(shown) == len(set(shown)) <= 30
            assert person.sees("document.querySelectorAll('svg').length") >= 1
            assert person.sees("document.documentElement.scrollWidth <= innerWidth")
        assert len(shown) == min(events, 30)
        assert (" emptyings in all" in person.text(), "agents report" in person.text()) == (True, True)
        if events > 30:
            person.sees("document.querySelector('.pager .next').click()")
            person.waits("location.search.includes('before=') && document.readyState == 'complete'")
            assert len(set(shown) | set(person.uids())) == 60


def test_the_pictures_of_the_readme(visitor: Person, page: Page, pictures: Path) -> None:
    visitor.look("/", height=1150)
    page.picture(pictures / "collector.png")
    text = visitor.text()
    for part in ("Who does it most", "On which nodes", "Newest events", "agents report", "silent"):
        assert part in text
    telling: Any = visitor.sees(
        "fetch('/api/events?severe=1&limit=1').then(one => one.json()).then(one => telling = one.events[0].uid)"
    )
    assert telling is not None
    visitor.waits("typeof telling == 'string'")
    visitor.look(f"/events/{visitor.sees('telling')}", height=1000)
    page.picture(pictures / "collector-event.png")
    assert "The hidden log" in visitor.text()
