"""The agent's own page in Chromium."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_page import HIDDEN_LINE, serving
from browser import Page
from person import Person
from test_page import FAINT, Elsewhere

COLLECTOR = "http://collector.example:4318/"


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def planted(elsewhere: Elsewhere) -> str:
    there = f"http://127.0.0.1:{elsewhere.port}"
    return (
        f"<script>ran=1;fetch('{there}/script')</script><img src={there}/img onerror=ran=1>"
        f"\"'><svg onload=ran=1><style>@import url({there}/css)</style><a href='javascript:ran=1'>{{7*7}}</svg>"
    )


@pytest.fixture
def agent(page: Page, tmp_path: Path, planted: str) -> Iterator[Person]:
    with serving(tmp_path, planted=planted, collector=COLLECTOR) as server:
        yield Person(page, "http://{}:{}".format(*server.addresses[0]))


def test_planted_markup_does_not_run_and_nothing_is_fetched(agent: Person, planted: str, elsewhere: Elsewhere) -> None:
    agent.look("/")
    assert planted in agent.text()
    assert agent.sees("typeof ran") == "undefined"
    assert agent.sees("document.querySelectorAll('script, img, link, iframe, form, main style').length") == 0
    assert agent.sees("performance.getEntriesByType('resource').length") == 0
    assert agent.sees("document.cookie") == ""
    assert elsewhere.callers == []


def test_ten_emptyings_are_told_and_nine_are_linked_to_the_collector(agent: Person) -> None:
    agent.look("/", scripts=False)
    assert agent.sees("document.querySelectorAll('article.event').length") == 10
    links: list[str] = agent.sees("[...document.querySelectorAll('article a')].map(one => one.href)")
    assert len(links) == 9
    assert all(link.startswith(f"{COLLECTOR}events/") for link in links)
    text = agent.text()
    assert "not at the collector yet" in text
    assert "stands for 40 emptyings" in text
    assert HIDDEN_LINE not in text
    assert "hunter2" not in text
    agent.look("/", scripts=True)


def test_it_has_the_colours_of_the_collector(agent: Person, person: Person) -> None:
    tokens = """'ground paper ink link severe warning'.split(' ').map(
        name => getComputedStyle(document.documentElement).getPropertyValue('--' + name))"""
    for dark in (False, True):
        agent.look("/", dark=dark)
        ours = agent.sees(tokens)
        person.look("/", dark=dark)
        assert person.sees(tokens) == ours


def test_the_keyboard_reaches_everything_and_the_focus_is_seen(agent: Person) -> None:
    agent.look("/")
    agent.press("Tab")
    assert agent.focus() == "skip"
    agent.press("Enter")
    agent.waits("document.activeElement.id == 'main'")
    agent.press("Tab")
    assert agent.sees("document.activeElement.href").startswith(f"{COLLECTOR}events/")
    assert agent.sees("getComputedStyle(document.activeElement).outlineStyle") == "solid"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_it_is_never_wider_than_the_window_and_all_text_stands_out(agent: Person, width: int, dark: bool) -> None:
    agent.look("/", width=width, height=1400, dark=dark)
    assert agent.sees("document.documentElement.scrollWidth") <= width
    assert agent.sees(FAINT) == []
