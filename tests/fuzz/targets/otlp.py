"""The event as OTLP: whatever an emptying holds, it fits, and the collector stores it as it was meant."""

from __future__ import annotations

import json
import re

import atheris
from target import Target

from kmsg_exporter.collector.decode import decode_logs
from kmsg_exporter.model import LEVELS, SOURCES, Actor, Emptying, Hidden, LogRecord, Process
from kmsg_exporter.push.otlp import MAX_RECORD_BYTES, dump, log_record, request
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sample import choose

_UID = "0190163d-8694-739b-aea5-966c26f8ad91"
_SECRET = re.compile("s[0-9]+t")
_LONG = [1, 1, 1, 200, 2000]


class _Fed:
    """Values out of bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = atheris.FuzzedDataProvider(data)

    def text(self) -> str:
        text: str = self._data.ConsumeUnicode(self._data.ConsumeIntInRange(0, 40))
        times: int = self._data.PickValueInList(_LONG)
        return text * times

    def number(self, low: int = 0, high: int = (1 << 63) - 1) -> int:
        return int(self._data.ConsumeIntInRange(low, high))

    def maybe(self) -> bool:
        return bool(self._data.ConsumeBool())

    def texts(self) -> tuple[str, ...]:
        return tuple(self.text() for _ in range(self.number(0, 12)))

    def record(self) -> LogRecord:
        level = self.number(0, 7) if self.maybe() else None
        return LogRecord(
            self.text(), self.number(), self.number() if self.maybe() else None, level, self.number(0, 200)
        )

    def actor(self) -> Actor:
        pid = self.number(0, 1 << 22)
        return Actor(
            pid,
            pid,
            *(self.text(), self.text(), SOURCES[self.number(0, 4)]),
            ancestors=tuple(Process(self.number(0, 99), self.text(), self.text()) for _ in range(self.number(0, 16))),
            origin=self.text(),
            container_id=self.text(),
            command_args=self.texts(),
        )


def one(data: bytes) -> None:
    fed = _Fed(data)
    records = tuple(fed.record() for _ in range(fed.number(0, 60)))
    sample, omitted = choose(records, limit="errors" if fed.maybe() else fed.number(0, 60), redact=(_SECRET,))
    assert len(sample) + omitted == len(records)
    assert not any(_SECRET.search(record.text) for record in sample)
    hidden = Hidden(
        len(records), by_level={LEVELS[fed.number(0, 7)]: fed.number()}, sample=sample, sample_omitted=omitted
    )
    since = fed.number() if fed.maybe() else None
    actor = fed.actor() if fed.maybe() else None
    emptying = Emptying(fed.number(1), hidden, actor=actor, since_unix_ns=since, actors=fed.texts())
    record = log_record(emptying, node=fed.text(), boot_id="b", uid=_UID, sequence=1, observed_unix_ns=fed.number())
    assert len(dump(record)) <= MAX_RECORD_BYTES
    batch = decode_logs(dump(request(Resource({"host.name": fed.text()[:64]}), [record])))
    assert batch.refused == ()
    (event,) = batch.events
    attributes = json.loads(event.document)["attributes"]
    lines = attributes.get("kmsg.hidden.sample", [])
    assert len(lines) + attributes.get("kmsg.hidden.sample_omitted", 0) == len(records)
    assert event.time_unix_ns == emptying.time_unix_ns
    assert actor is None or attributes["process.pid"] == actor.pid


TARGET = Target(
    one,
    seeds=(
        bytes(64),
        bytes(range(256)) * 16,
        bytes(range(256)),
        b"\xff" * 300,
        b"s1t s22t <3>[    1.000000] Out of memory\n" * 9,
    ),
    words=(b"s123t", b"Out of memory", b"\xed\xa0\x80", b"\\"),
    max_bytes=4096,
)
