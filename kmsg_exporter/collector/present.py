"""A stored event as a person reads it: when, who, the chain behind, what was hidden, the sample."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from kmsg_exporter.collector.event import Attributes, ReceivedEvent, believed_unix_ns
from kmsg_exporter.collector.moments import Moment, moment, span
from kmsg_exporter.model import LEVELS

SEVERE: Final = frozenset(LEVELS[:4])  # emerg to err
LATE_SECONDS: Final = 60
MAX_CHAIN: Final = 64  # an agent names 16; each is a hundred bytes of a page, of three in the record
MAX_LINES: Final = 2000  # of a sample; an agent sends 50 records as a rule. The JSON has all of them
CLOCK_COLUMNS: Final = len("[   12.345678] ")

_ANCESTOR: Final = re.compile(r"(\d+) (.*?)(?: (/.*))?", re.DOTALL)
_SAMPLE: Final = re.compile(r"(?:<(\d{1,4})>)?(?:\[ *(\d+\.\d+)\] ?)?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Link:
    """One process of the chain. `pid` and `exe` are "" when not known; `origin` marks the name that tells most."""

    comm: str
    exe: str
    pid: str
    origin: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the sample; a record's further lines have no time. `level` is "" when not known."""

    level: str
    time: str
    text: str
    severe: bool


@dataclass(frozen=True, slots=True)
class Story:
    """One event, ready to be laid out. Counts are None, texts "" when the event does not say."""

    uid: str
    variant: int
    node: str
    cluster: str
    origin: str
    container: str
    when: Moment
    received: Moment
    remark: str
    sentence: str
    actor: Link | None
    chain: tuple[Link, ...]
    action: str
    expected: bool
    coalesced: int
    actors: tuple[str, ...]
    hidden: int | None
    severe: int
    by_level: tuple[tuple[str, int], ...]
    sample: tuple[Line, ...]
    sample_records: int
    sample_left_out: int
    sample_omitted: int
    facts: tuple[tuple[str, str], ...]
    resource: tuple[tuple[str, str], ...]
    attributes: tuple[tuple[str, str], ...]

    @property
    def severe_sample(self) -> tuple[Line, ...]:
        return tuple(line for line in self.sample if line.severe)


def tell(received: ReceivedEvent, *, now_ns: int, zone: tzinfo | None = None) -> Story:
    """`zone` None is this machine's own. Attributes of a wrong type are as good as absent."""
    event = received.event
    document = json.loads(event.document)
    attributes: Attributes = document["attributes"]
    happened_ns, arrived_ns = event.time_unix_ns, received.received_unix_ns
    by_level = _by_level(attributes)
    sample = _sample(attributes)
    actor = Link(event.comm, event.exe, _shown(attributes.get("process.pid")))
    return Story(
        uid=event.uid,
        variant=received.variant,
        node=event.node,
        cluster=event.sender.cluster,
        origin=event.origin,
        container=_shown(attributes.get("kmsg.process.container.id")),
        when=moment(believed_unix_ns(happened_ns, arrived_ns), now_ns=now_ns, zone=zone),
        received=moment(arrived_ns, now_ns=now_ns, zone=zone),
        remark=_remark(happened_ns, arrived_ns),
        sentence=document["body"] if isinstance(document["body"], str) else "",
        actor=actor if actor.comm or actor.exe or actor.pid else None,
        chain=_chain(_texts(attributes, "kmsg.process.ancestors"), event.origin),
        action=_shown(attributes.get("kmsg.action")),
        expected=attributes.get("kmsg.expected") is True,
        coalesced=max(_count(attributes, "kmsg.coalesced") or 1, 1),
        actors=_texts(attributes, "kmsg.actors"),
        hidden=_count(attributes, "kmsg.hidden.records"),
        severe=sum(count for level, count in by_level if level in SEVERE),
        by_level=by_level,
        sample=sample.lines,
        sample_records=sample.records,
        sample_left_out=sample.left_out,
        sample_omitted=_count(attributes, "kmsg.hidden.sample_omitted") or 0,
        facts=_facts(attributes),
        resource=_table(document["resource"]),
        attributes=_table({key: value for key, value in attributes.items() if key != "kmsg.hidden.sample"}),
    )


def _remark(happened_ns: int | None, arrived_ns: int) -> str:
    """Why the time may surprise: the event came long after it happened, or its node's clock can't be right."""
    if happened_ns is None:
        return "when it arrived: the node gave no time"
    if believed_unix_ns(happened_ns, arrived_ns) != happened_ns:
        return f"when it arrived: the node's clock said {datetime.fromtimestamp(happened_ns // 10**9, UTC):%Y-%m-%d}"
    delay_seconds = (arrived_ns - happened_ns) // 10**9
    return f"arrived {span(delay_seconds)} later" if delay_seconds >= LATE_SECONDS else ""


def _facts(attributes: Attributes) -> tuple[tuple[str, str], ...]:
    """What else is known about who did it, as label and text."""
    args = _texts(attributes, "process.command_args")
    owner, user = (_shown(attributes.get(key)) for key in ("process.owner", "process.user.id"))
    facts = (
        ("command", shlex.join(args)),
        ("user", f"{owner} (uid {user})" if owner and user else owner or user),
        ("pod uid", _shown(attributes.get("kmsg.process.pod.uid"))),
        ("found in", _shown(attributes.get("kmsg.attribution.source"))),
        ("derived", "worked out, not read" if attributes.get("kmsg.process.derived") is True else ""),
    )
    return tuple((label, text) for label, text in facts if text)


def _chain(ancestors: Sequence[str], origin: str) -> tuple[Link, ...]:
    links = [_ancestor(text) for text in ancestors[:MAX_CHAIN]]
    nearest = next((index for index, link in enumerate(links) if link.comm == origin), None)
    return tuple(replace(link, origin=index == nearest) for index, link in enumerate(links))


def _ancestor(text: str) -> Link:
    parts = _ANCESTOR.fullmatch(text)
    return Link(parts[2], parts[3] or "", parts[1]) if parts else Link(text, "", "")


def _by_level(attributes: Attributes) -> tuple[tuple[str, int], ...]:
    counts = attributes.get("kmsg.hidden.by_level")
    if not isinstance(counts, Mapping):
        return ()
    return tuple((level, count) for level in LEVELS if (count := _count(counts, level)))


@dataclass(frozen=True, slots=True)
class _Sample:
    """As many lines as are shown, the records that they are of, and how many more records there are."""

    lines: tuple[Line, ...]
    records: int
    left_out: int


def _sample(attributes: Attributes) -> _Sample:
    records, beyond = _sample_records(attributes)
    lines: list[Line] = []
    shown = 0
    for record in records:
        if len(lines) >= MAX_LINES:
            break
        lines += _lines(record)
        shown += 1
    return _Sample(tuple(lines[:MAX_LINES]), shown, len(records) - shown + beyond)


def _sample_records(attributes: Attributes) -> tuple[Sequence[str], int]:
    """The first of them, and how many there are beyond."""
    sample = attributes.get("kmsg.hidden.sample")
    if not isinstance(sample, str):
        return _texts(attributes, "kmsg.hidden.sample"), 0
    records = sample.removesuffix("\n").split("\n", MAX_LINES) if sample else []
    beyond = records.pop().count("\n") + 1 if len(records) > MAX_LINES else 0
    return records, beyond


def _lines(record: str) -> list[Line]:
    """`<3>[   12.345678] text` as lines; either prefix may be missing, the text may be of several lines."""
    parts = _SAMPLE.fullmatch(record)
    priority, time, text = parts.groups() if parts else (None, None, record)
    level = LEVELS[int(priority) & 7] if priority else ""
    first, *further = text.split("\n", MAX_LINES)[:MAX_LINES]
    severe = level in SEVERE
    indent = " " * CLOCK_COLUMNS if time else ""  # as dmesg does
    return [
        Line(level, time or "", first.expandtabs(), severe),
        *(Line(level, "", indent + line.expandtabs(), severe) for line in further),
    ]


def _count(values: Mapping[str, Any], key: str) -> int | None:
    value = values.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _texts(attributes: Attributes, key: str) -> tuple[str, ...]:
    value = attributes.get(key)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _table(values: Attributes) -> tuple[tuple[str, str], ...]:
    return tuple((key, _shown(value)) for key, value in sorted(values.items()))
