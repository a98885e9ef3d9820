"""Bodies that a collector is sent: events that can be stored, shown and told, refusals, or a typed error."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import Any

import atheris
from target import Target

from kmsg_exporter.collector.chart import chart
from kmsg_exporter.collector.counting import Bar, Tally, Totals
from kmsg_exporter.collector.decode import MAX_RECORD_BYTES, decode_logs
from kmsg_exporter.collector.event import ReceivedEvent, StoredEvent
from kmsg_exporter.collector.fleet import Fleet
from kmsg_exporter.collector.links import Links
from kmsg_exporter.collector.overview import Overview
from kmsg_exporter.collector.pages import Pages
from kmsg_exporter.collector.plain import event_json, plain_event
from kmsg_exporter.collector.present import tell
from kmsg_exporter.collector.reading import Page
from kmsg_exporter.errors import DecodeError
from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord, Process
from kmsg_exporter.push.otlp import dump, log_record, request
from kmsg_exporter.push.resource import Resource

_NOW_NS = 1_767_323_045_000_000_000
_PAGES = Pages()
_LINKS = Links("/", {"since": "all", "node": "<script>"})
_UID = "0190163d-8694-739b-aea5-966c26f8ad91"


def one(data: bytes) -> None:
    try:
        batch = decode_logs(data)
    except DecodeError as exc:
        problem = str(exc)
    else:
        problem = ""
        assert len(batch.events) + len(batch.refused) <= data.count(b"{")
        for event in batch.events:
            _check(event, len(data))
    assert len(problem) < 4096


def _check(event: StoredEvent, size: int) -> None:
    assert event.time_unix_ns is None or 0 < event.time_unix_ns < 1 << 63
    assert len(event.document.encode()) <= min(MAX_RECORD_BYTES, 200 + 6 * size)
    document = json.loads(event.document)
    assert document["attributes"]["log.record.uid"] == event.uid
    received = ReceivedEvent(event, _NOW_NS, "1")
    plain = plain_event(received)
    json.dumps(plain, allow_nan=False).encode()
    assert json.loads(event_json(received)) == plain
    story = tell(received, now_ns=_NOW_NS)
    assert story.coalesced >= 1
    assert min(story.severe, story.sample_records, story.sample_omitted) >= 0
    told = _PAGES.event(received, _LINKS, variants=(0, 1), earlier=received, later=received, now_ns=_NOW_NS)
    assert told.count("<script") == told.count('<script src="/static/copy.js" defer></script>') == 1
    who, where = (
        Tally(name, 1, 0, 1, _NOW_NS) for name in ((event.comm, event.exe, event.origin), (event.node, event.node))
    )
    drawn = chart((_NOW_NS - 60 * 10**9, _NOW_NS), (Bar(1),), lambda _a, _b: "/")
    totals = Totals(1, 1, 0, (who,), (where,))
    seen = Overview("7d", totals, drawn, Page((received,), None, None, newest=True), None, None, "1")
    silent = Fleet(1, 0, 1, 0, 0, 0, _NOW_NS, (event.node,), ((event.sender.version, 1),))
    page = _PAGES.index(seen, _LINKS, query={}, fleet=silent, now_ns=_NOW_NS, endpoint="x")
    assert page.count("<script") == page.count('.js" defer></script>') == 2
    page.encode()


def _body() -> bytes:
    actor = Actor(42, 43, "dmesg", "/usr/bin/dmesg", "procfs", ancestors=(Process(7, "a b", "/x"),), origin="a b")
    hidden = Hidden(
        2, 5, 6, {"err": 1, "info": 1}, (LogRecord("text", 5, 1, 3, 0), LogRecord("more\nlines", 6, 2, 6)), 1
    )
    emptying = Emptying(_NOW_NS, hidden, "clear", "syslog", actor, coalesced=2, actors=("dmesg",))
    record = log_record(emptying, node="n", boot_id="b", uid=_UID, sequence=1, observed_unix_ns=_NOW_NS)
    return dump(request(Resource({"host.name": "n"}), [record]))


_VALUES = (
    b'{"doubleValue":1e308}',
    b'{"doubleValue":"NaN"}',
    b'{"doubleValue":NaN}',
    b'{"intValue":"9223372036854775807"}',
    b'{"bytesValue":"AA=="}',
    b'{"kvlistValue":{"values":[]}}',
    b'{"arrayValue":{"values":[{}]}}',
    b'"\\ud800"',
    b'{"stringValue":"<script>"}',
)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Half the time a value of the JSON becomes another one of it, or one of a few odd ones."""
    dice = random.Random(seed)
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return bytes(atheris.Mutate(data, max_size))
    places = list(_places(tree))
    if not places or dice.random() < 0.5:
        return bytes(atheris.Mutate(data, max_size))
    for _ in range(dice.randint(1, 3)):
        holder, key = dice.choice(places)
        other, at = dice.choice(places)
        odd = (None, True, -1, 0.5, math.nan, 1 << 63, "", [], {}, *map(json.loads, _VALUES))
        holder[key] = dice.choice(odd) if dice.random() < 0.5 else json.loads(json.dumps(other[at]))
    return json.dumps(tree, separators=(",", ":")).encode()[:max_size]


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Where each value stands: (list or object, index or key)."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(items):
        yield node, key
        yield from _places(value)


TARGET = Target(one, seeds=(_body(), b"{}"), words=_VALUES, mutate=mutate, max_bytes=8192)
