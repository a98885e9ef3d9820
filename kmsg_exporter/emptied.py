"""One emptying as it was stored: its OTLP LogRecord read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kmsg_exporter.model import LEVELS

_CHAIN: Final = 4  # as the event's own sentence


@dataclass(frozen=True, slots=True)
class Emptied:
    """One event as it was stored. `sent_unix` is None while it waits; `attributes` are those of docs/event.md."""

    sequence: int
    stored_unix: float
    sent_unix: float | None
    time_unix_ns: int
    body: str
    attributes: Mapping[str, Any]

    def text(self, name: str) -> str:
        value = self.attributes.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        value = self.attributes.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.attributes.get(name)
        return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()

    @property
    def errors(self) -> int:
        """How many of the records that it hid are errors or worse."""
        counts = self.attributes.get("kmsg.hidden.by_level")
        if not isinstance(counts, dict):
            return 0
        return sum(count for level in LEVELS[:4] if isinstance(count := counts.get(level), int))

    @property
    def behind(self) -> tuple[str, ...]:
        """Who ran it: the comms above it from the script on, nearest first, without init."""
        ancestors = [text.split(" ", 1) for text in self.texts("kmsg.process.ancestors")]
        comms = [rest[0].split(" /", 1)[0] if rest else "" for pid, *rest in ancestors if pid != "1"]
        origin = self.text("kmsg.process.origin")
        if origin in comms:
            comms = comms[comms.index(origin) :]
        elif origin:
            comms = [origin]
        chain = [comm for index, comm in enumerate(comms) if comm and (not index or comms[index - 1] != comm)]
        return tuple(chain if len(chain) <= _CHAIN else [*chain[:_CHAIN], "..."])

    @property
    def chain(self) -> str:
        """The same in one line: `cleanup.sh <- cron`."""
        return " <- ".join(self.behind)


def read_back(sequence: int, stored_unix: float, sent_unix: float | None, text: str) -> Emptied:
    """Of a LogRecord as JSON."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    return emptied(record, sequence=sequence, stored_unix=stored_unix, sent_unix=sent_unix)


def emptied(record: Any, *, sequence: int, stored_unix: float, sent_unix: float | None) -> Emptied:
    """Of an OTLP LogRecord. One that can't be understood has still happened."""
    try:
        attributes = {str(item["key"]): _value(item["value"]) for item in record.get("attributes", [])}
        return Emptied(
            sequence,
            stored_unix,
            sent_unix,
            int(record["timeUnixNano"]),
            str(record.get("body", {}).get("stringValue", "")),
            attributes,
        )
    except (ValueError, TypeError, KeyError, AttributeError, StopIteration, RecursionError):
        return Emptied(sequence, stored_unix, sent_unix, int(stored_unix * 1e9), "", {})


def _value(value: Mapping[str, Any]) -> Any:
    kind, inner = next(iter(value.items()))
    if kind == "intValue":
        return int(inner)
    if kind == "arrayValue":
        return [_value(item) for item in inner.get("values", [])]
    if kind == "kvlistValue":
        return {str(item["key"]): _value(item["value"]) for item in inner.get("values", [])}
    return inner
