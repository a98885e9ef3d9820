"""The page at / says what there is and what can't be seen, and can't be made to say anything else."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.metrics.page import Node, blind_spots, render_page, security_headers
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.model import Observation, ProbeState, PushState, Reader, RingState

NOW = 1_795_424_400.0  # 2026-11-23 09:00:00 UTC
CLEARED = {
    "log.record.uid": "u/1",
    "kmsg.process.comm": "dmesg",
    "process.executable.path": "/usr/bin/dmesg",
    "process.pid": 4242,
    "process.owner": "root",
    "kmsg.process.origin": "cleanup.sh",
    "kmsg.process.ancestors": ["4240 cleanup.sh /usr/bin/dash", "812 cron /usr/sbin/cron", "1 systemd /lib/systemd"],
    "kmsg.process.container.id": "abc123",
    "kmsg.attribution.source": "exec_trace",
    "kmsg.hidden.records": 1389,
    "kmsg.hidden.by_level": {"err": 2, "info": 1387},
    "kmsg.hidden.sample": ["<3>[    1.000000] a line of the log"],
    "process.command_args": ["dmesg", "--password=hunter2"],
}


def emptied(seconds_ago: float = 7200, *, sent: bool = True, **changes: object) -> Emptied:
    attributes = CLEARED | {name.replace("__", "."): value for name, value in changes.items()}
    at = NOW - seconds_ago
    return Emptied(1, at, at if sent else None, int(at * 1e9), "the sentence", attributes)


def page(observation: Observation, node: Node | None = None, totals: Totals | None = None) -> str:
    return render_page(
        observation,
        (totals or Totals()).snapshot(),
        node or Node(),
        now=NOW,
        version="0.1.0",
        telemetry_path="/metrics",
    ).decode()


def words(text: str) -> str:
    """What a person reads."""
    found: list[str] = []

    class Reading(HTMLParser):
        def handle_data(self, data: str) -> None:
            if self.get_starttag_text() != "<style>":
                found.append(data)

    Reading().feed(text)
    return " ".join(" ".join(found).split())


def test_the_page_has_name_version_state_and_links(full: Observation) -> None:
    text = page(full, Node(name="node-7"))
    read = words(text)
    assert "Kernel log of node-7" in read
    assert "kmsg-exporter 0.1.0" in read
    assert "dmesg shows nothing a clear hides 812 records emptied 0 times, counted since the agent's start" in read
    assert "shown 8,000 of the 8,812 records that it holds" in read
    assert "overwritten 188 records, the oldest: it is full, newer ones push them out" in read
    assert "size 256 KiB" in read
    assert "events 3 to send, 11 sent, 6 given up" in read
    for path in ("/metrics", "/-/healthy", "/-/ready", "https://github.com/kmsg-exporter/kmsg-exporter#readme"):
        assert f'<a href="{path}"' in text


def test_an_emptying_says_when_who_by_whom_where_and_how_much(full: Observation) -> None:
    read = words(page(full, Node(past=[emptied()])))
    assert (
        "2 hours ago 2026-11-23 07:00:00 UTC dmesg ( /usr/bin/dmesg, pid 4242 ) ← cleanup.sh ← cron "
        "1,389 records hidden 2 err 1,387 info user root · container abc123"
    ) in read.replace("\xa0", " ")


def test_an_emptying_that_nobody_explains_says_so_and_when_at_the_earliest(full: Observation) -> None:
    unknown = emptied(kmsg__attribution__source="none", kmsg__since_unix_nano=int((NOW - 9000) * 1e9))
    read = words(page(full, Node(past=[unknown])))
    assert "or earlier, after 2026-11-23 06:30:00 UTC Nobody could be named: no traced call explains it." in read


def test_no_line_of_the_log_and_no_argument_is_shown(full: Observation) -> None:
    text = page(full, Node(past=[emptied()]))
    assert "a line of the log" not in text
    assert "hunter2" not in text


def test_an_event_that_the_collector_has_is_linked_there(full: Observation) -> None:
    node = Node(past=[emptied()], collector="http://collector:4318/")
    assert '<a href="http://collector:4318/events/u%2F1">' in page(full, node)
    waiting = page(full, replace(node, past=[emptied(sent=False)]))
    assert "/events/" not in waiting
    assert "not at the collector yet" in waiting
    assert "not at the collector yet" not in page(replace(full, push=None), replace(node, past=[emptied(sent=False)]))


def test_without_a_collector_nothing_is_linked_to_one(full: Observation) -> None:
    assert "/events/" not in page(full, Node(past=[emptied()]))


def test_no_history_and_none_that_can_be_read_are_told_apart(full: Observation) -> None:
    assert "None that is kept on this node." in words(page(full))
    assert "The history can't be read: the agent's log says why." in words(page(full, Node(past=None)))


def test_readers_are_named_and_of_many_the_first(full: Observation) -> None:
    read = words(page(full))
    assert "systemd-journal /usr/lib/systemd/systemd-journald 1 /dev/kmsg" in read
    crowd = tuple(Reader(pid, "cat", "/usr/bin/cat", "proc_kmsg") for pid in range(25))
    assert "/proc/kmsg and 5 more" in words(page(replace(full, readers=crowd)))
    assert "Nobody holds it open." in words(page(replace(full, readers=())))
    assert "Not known yet, or not to be seen here." in words(page(replace(full, readers=None)))


def test_totals_and_who_clears_most_are_shown(full: Observation) -> None:
    totals = Totals()
    totals.clear("dmesg", "/usr/bin/dmesg", "clear", origin="cleanup.sh", expected=True, calls=1200)
    totals.clear("busybox", "/bin/busybox", "clear", origin="", expected=False)
    totals.denied("sh", "/bin/sh", "clear")
    totals.emptied(NOW - 60)
    read = words(page(full, totals=totals))
    assert "clears 1,201 clears refused 1" in read
    assert "dmesg ← cleanup.sh /usr/bin/dmesg expected 1,200 busybox /bin/busybox 1" in read
    assert "last emptied 2026-11-23 08:59:00 UTC , 1 minute ago" in read


def test_a_node_that_shows_little_says_so() -> None:
    assert list(blind_spots(Observation("state", ready=True), Node())) == [
        "who cleared it: comm, exe, chain",
        "clear and read_clear told apart",
        "clears that were refused",
        "clears by 32-bit programs",
        "reads by syslog(2)",
        "reads of /dev/kmsg and /proc/kmsg",
        "opens of /dev/kmsg and /proc/kmsg",
        "writes to /dev/kmsg",
        "console level changes",
        "whether dmesg shows anything",
        "how many records a clear hides",
        "how many records were printed",
        "who holds the log open",
    ]
    read = words(page(Observation("state", ready=True)))
    assert "Whether dmesg shows anything is not known" in read
    assert "events go to this node only: no collector is named" in read


def test_what_was_not_taken_and_why_is_said(full: Observation) -> None:
    node = Node(refused={"kprobe": "lockdown", "tracepoint": "lockdown"})
    assert list(blind_spots(replace(full, probes=()), node)) == [
        "why not more: kprobe, tracepoint was not taken: lockdown"
    ]


def test_32_bit_clears_are_seen_where_they_were_asked_for() -> None:
    seen = Observation("tracepoint", ready=True, ring=RingState(False, 0, 1, 0, 1), readers=())
    assert "clears by 32-bit programs (with --trace.compat-syscalls on x86-64)" in blind_spots(seen, Node())
    assert not any("32-bit" in text for text in blind_spots(seen, Node(compat=True)))


def test_a_probe_that_is_not_attached_is_named(full: Observation) -> None:
    assert list(blind_spots(full, Node())) == ["what the probe devkmsg_read would show: it is not attached"]


def test_a_node_that_shows_everything_says_so() -> None:
    seen = Observation("kprobe", ready=True, ring=RingState(False, 0, 1, 0, 1), readers=())
    assert "Nothing that it looks for." in page(seen)


def test_trouble_is_said_at_the_top(full: Observation) -> None:
    read = words(page(replace(full, ready=False), Node(push_failing=("refused", "timeout"))))
    assert "not ready: not all that it promises is in place the push fails: refused, timeout" in read


PLANTED = "<script>x</script><img src=x>\"'&{style}</style>\x1b[31m\u202e\ud800"


def test_what_is_not_ours_is_escaped_and_what_is_invisible_shows() -> None:
    hostile = Observation(
        PLANTED,
        ready=False,
        readers=(Reader(1, PLANTED, PLANTED, "dev_kmsg"),),
        probes=(ProbeState(PLANTED, attached=False),),
        push=PushState(),
    )
    totals = Totals()
    totals.clear(PLANTED, PLANTED, "clear", origin=PLANTED, expected=False)
    strings: dict[str, Any] = {name: PLANTED for name, value in CLEARED.items() if isinstance(value, str)}
    ancestors = [f"7 {PLANTED} /{PLANTED}"]
    bad = emptied(**strings, kmsg__process__ancestors=ancestors, kmsg__hidden__by_level={PLANTED: 3})
    node = Node(
        PLANTED, [bad], {PLANTED: PLANTED}, collector=f"http://c/{PLANTED}", push_to=PLANTED, push_failing=(PLANTED,)
    )
    text = render_page(
        hostile, totals.snapshot(), node, now=NOW, version=PLANTED, telemetry_path=f"/{PLANTED}"
    ).decode()
    started: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            started.append(tag)
            assert not {name for name, _ in attrs if name.startswith("on")}

    Tags().feed(text)
    assert not {"script", "img"} & set(started)
    assert started.count("style") == text.count("</style>") == 1
    assert not {"\x1b", "\u202e", "\ud800"} & set(text)
    assert "&lt;script&gt;x&lt;/script&gt;&lt;img src=x&gt;&quot;&#x27;&amp;{style}&lt;/style&gt;\\x1b[31m" in text


@pytest.mark.parametrize("attributes", [{}, {name: [1] for name in CLEARED}, dict.fromkeys(CLEARED, -1)])
def test_an_event_of_anything_is_shown(full: Observation, attributes: dict[str, object]) -> None:
    for time_ns in (0, 2**63 - 1, -(2**63), 10**40):
        past = [Emptied(1, 0.0, None, time_ns, "", attributes)]
        assert "Nobody could be named" in page(full, Node(past=past))


_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(attributes=st.dictionaries(st.sampled_from(sorted(CLEARED)), _ANYTHING), at=st.integers())
def test_no_event_breaks_the_page_or_out_of_it(attributes: dict[str, Any], at: int) -> None:
    seen = Observation("kprobe", ready=True, push=PushState())
    past = [Emptied(1, 0.0, 1.0, at, "", attributes)]
    text = page(seen, Node(past=past, collector="http://collector/"))
    assert text.count("<article") == text.count("</article>") == 1
    assert re.sub(r"[\n\xa0]", " ", text).isprintable()


def test_the_policy_allows_the_page_s_own_style_and_nothing_else(full: Observation) -> None:
    style = re.search("<style>(.*)</style>", page(full), re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert dict(security_headers())["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def test_the_tokens_have_one_home(full: Observation) -> None:
    package = Path(__file__).parents[3] / "kmsg_exporter"
    look = (package / "look.css").read_text()
    assert look in page(full)
    assert [path.name for path in package.rglob("*.css") if "--ground:" in path.read_text()] == ["look.css"]


def test_an_agent_that_shows_its_page_carries_nothing_of_the_collector() -> None:
    code = """
import sys
from kmsg_exporter.agent.agent import Agent
from kmsg_exporter.metrics.page import Node, render_page
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.model import Observation
render_page(
    Observation("state", ready=True), Totals().snapshot(), Node(), now=0, version="1", telemetry_path="/metrics"
)
print(*(name for name in sys.modules if name.startswith(("kmsg_exporter.collector", "jinja2", "starlette"))))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
