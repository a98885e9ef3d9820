"""The node's own emptyings, read from the file that the agent keeps them in, also while it runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kmsg_exporter.errors import NotPermitted, SpoolError
from kmsg_exporter.model import LEVELS

FILE_NAME: Final = "spool.sqlite3"
_CHAIN: Final = 4  # as the event's own sentence
_QUERY: Final = "SELECT sequence, stored_unix, sent_unix, record FROM event ORDER BY sequence DESC"


@dataclass(frozen=True, slots=True)
class Emptied:
    """One event as it was stored. `sent_unix` is None while it waits; `attributes` are those of docs/push.md."""

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
    def chain(self) -> str:
        """Who ran it: the comms above it from the script on, without init."""
        ancestors = [text.split(" ", 1) for text in self.texts("kmsg.process.ancestors")]
        comms = [rest[0].split(" /", 1)[0] if rest else "" for pid, *rest in ancestors if pid != "1"]
        origin = self.text("kmsg.process.origin")
        if origin in comms:
            comms = comms[comms.index(origin) :]
        elif origin:
            comms = [origin]
        chain = [comm for index, comm in enumerate(comms) if comm and (not index or comms[index - 1] != comm)]
        return " <- ".join(chain if len(chain) <= _CHAIN else [*chain[:_CHAIN], "..."])


def read_past(
    directory: Path, *, wanted: Callable[[Emptied], bool] = lambda _: True, limit: int | None = None
) -> Sequence[Emptied] | None:
    """The emptyings that are `wanted`, newest first, at most `limit`. None when no agent ever kept any here.

    Raises NotPermitted, and SpoolError when the file is there and can't be read.
    """
    path = directory / FILE_NAME
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError:
        return None
    except PermissionError as exc:
        raise NotPermitted(f"the agent's history {path} is for its own user only: try again as root") from exc
    except OSError as exc:
        raise SpoolError(f"the agent's history {path} can't be read: {exc.strerror}") from exc
    # without a write-ahead log nobody writes: then it is read without making that log, and its index, beside it
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    found: list[Emptied] = []
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=5.0)
        try:
            for row in connection.execute(_QUERY):
                event = _event(*row)
                if wanted(event):
                    found.append(event)
                    if len(found) == limit:
                        break
        finally:
            connection.close()
    except sqlite3.Error as exc:
        raise SpoolError(
            f"the agent's history {path} can't be read: {exc}; if another version of the agent wrote it, ask that "
            "version, else the agent sets the file aside at its next start"
        ) from exc
    return found


def _event(sequence: int, stored_unix: float, sent_unix: float | None, text: str) -> Emptied:
    try:
        record = json.loads(text)
        attributes = {str(item["key"]): _value(item["value"]) for item in record.get("attributes", [])}
        return Emptied(
            sequence,
            stored_unix,
            sent_unix,
            int(record["timeUnixNano"]),
            str(record.get("body", {}).get("stringValue", "")),
            attributes,
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        # one that can't be understood has still happened
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
