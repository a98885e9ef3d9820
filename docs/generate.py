"""Writes the tables that the pages share with the code: run it after changing an option, a metric or the coverage."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from vocabulary import ATTRIBUTES, RECORD, RESOURCE, SCOPE, Word

from kmsg_exporter.collector.figures import ALL as COLLECTOR
from kmsg_exporter.collector.figures import Figure
from kmsg_exporter.config import OPTIONS, Option
from kmsg_exporter.coverage import COVERAGE
from kmsg_exporter.metrics.exposition import ALL
from kmsg_exporter.metrics.families import Definition
from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord, Process
from kmsg_exporter.push.hello import hello
from kmsg_exporter.push.otlp import dump, log_record
from kmsg_exporter.push.resource import Resource

TOP: Final = Path(__file__).parent.parent
PAGES: Final = ("README.md", "docs/configuration.md", "docs/metrics.md", "docs/event.md")
EVENT: Final = TOP / "docs" / "event.json"  # what an agent sent when its node's log was cleared

_REGION: Final = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with what stands between `<!-- generated: NAME -->` and `<!-- end -->` made anew."""
    return _REGION.sub(lambda found: f"{found[1]}\n{_TABLES[found[2]]}\n{found[3]}", page)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _coverage() -> str:
    rows = [(row.what, row.kprobe, row.tracepoint, row.function, row.state) for row in COVERAGE]
    return _table(("", "`kprobe`", "`tracepoint`", "`function`", "`state`"), rows)


def _options() -> str:
    parts = []
    for title, members in groupby(OPTIONS, key=attrgetter("group")):
        rows = [(f"`{option.flag}`", f"`{option.kind.shown}`", _default(option), option.about) for option in members]
        parts.append(f"## {title}\n\n{_table(('flag', 'value', 'default', 'what it does'), rows)}")
    return "\n".join(parts)


def _default(option: Option) -> str:
    return "; ".join(note for note in (option.default, "repeatable" if option.repeatable else "") if note)


def _metrics(definitions: Iterable[Definition | Figure]) -> str:
    rows = [
        (f"`{one.name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.help) for one in definitions
    ]
    return _table(("metric", "type", "labels", "what it says"), rows)


def everything() -> dict[str, Any]:
    """A LogRecord with all that there can be: no real event is known in full and not known at once."""
    chain = (Process(41, "deploy.sh", "/usr/bin/bash"), Process(40, "sshd", "/usr/sbin/sshd"))
    actor = Actor(
        pid=42,
        tid=42,
        comm="dmesg",
        exe="/usr/bin/dmesg",
        source="procfs",
        derived=True,
        parent_pid=41,
        user_id=0,
        ancestors=chain,
        origin="deploy.sh",
        container_id="3f1c9a0b7d52",
        pod_uid="0f9d8c7b-6a5e-4d3c-8b2a-190817263544",
        command_args=("dmesg", "-C"),
    )
    line = LogRecord("EXT4-fs error (device sda1): ...", 7, 5_000_000, 3, 0)
    emptying = Emptying(
        time_unix_ns=1_795_424_400_000_000_000,
        time_boot_ns=61_000_000_000,
        hidden=Hidden(8, 0, 7, {"err": 1, "info": 7}, (line,), 7),
        action="clear",
        interface="syslog",
        actor=actor,
        since_unix_ns=1_795_424_399_000_000_000,
        coalesced=2,
        actors=("42 dmesg /usr/bin/dmesg", "57 perl /usr/bin/perl"),
    )
    return log_record(
        emptying,
        node="node-7",
        boot_id="b",
        uid="u",
        sequence=1,
        observed_unix_ns=1_795_424_400_100_000_000,
        owner="root",
    )


def resource() -> Resource:
    """A resource with all that there can be."""
    return Resource.from_environ(
        {},
        instance_id="i",
        host_name="node-7",
        host_id="5d1f8a2c9b7e4f60",
        node_name="node-7",
        cluster_name="production-eu",
    )


def _event(words: Sequence[Word], whole: Mapping[str, Any], real: Mapping[str, Any]) -> str:
    """Types are what the code makes; examples are the real event's, else in italics what the code makes."""
    rows = []
    for word in words:
        kind, example = _typed(whole[word.name])
        shown = f"`{_typed(real[word.name])[1]}`" if word.name in real else f"*{example}*"
        rows.append((f"`{word.name}`", kind, word.unit, word.when, word.about, shown))
    return _table(("name", "type", "unit", "when it is there", "what it says", "example"), rows)


def _typed(value: Any) -> tuple[str, str]:
    """The type of an OTLP AnyValue, or of a field of the LogRecord, and the value in a few words."""
    match value:
        case {"boolValue": bool(given)}:
            return "bool", str(given).lower()
        case {"intValue": str(digits)}:
            return "int", digits
        case {"arrayValue": {"values": list(values)}}:
            return f"{_typed(values[0])[0]}[]", _short(_typed(values[0])[1]) + (", ..." if values[1:] else "")
        case {"kvlistValue": {"values": list(pairs)}}:
            return f"map of {_typed(pairs[0]['value'])[0]}", ", ".join(
                f"{p['key']} {_typed(p['value'])[1]}" for p in pairs
            )
        case {"stringValue": str(text)} | str(text):
            return "string", _short(text)
        case int(number):
            return "int", str(number)
        case _:
            return "list", "..."


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


def _keyed(pairs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in pairs}


def _event_tables() -> dict[str, str]:
    (sent,) = json.loads(EVENT.read_text())["resourceLogs"]
    (scope,) = sent["scopeLogs"]
    (record,) = scope["logRecords"]
    said_hello = hello(resource(), sequence=7, boot_id="44539205-4e3d-4d02-acf5-f60192e077c5")
    (greeting,) = json.loads(dump(said_hello))["resourceLogs"]
    whole, said = everything(), greeting["scopeLogs"][0]["scope"]["attributes"]
    return {
        "event-record": _event(RECORD, whole, record),
        "event-attributes": _event(ATTRIBUTES, _keyed(whole["attributes"]), _keyed(record["attributes"])),
        "event-resource": _event(
            RESOURCE, _keyed(greeting["resource"]["attributes"]), _keyed(sent["resource"]["attributes"])
        ),
        "event-hello": _event(SCOPE, _keyed(said), {}),
        "event-example": f"```json\n{EVENT.read_text()}```\n",
    }


_TABLES: Final = {
    "coverage": _coverage(),
    "options": _options(),
    "log-metrics": _metrics(one for one in ALL if not one.name.startswith("kmsg_exporter_")),
    "agent-metrics": _metrics(one for one in ALL if one.name.startswith("kmsg_exporter_")),
    "collector-metrics": _metrics(COLLECTOR),
    **_event_tables(),
}


if __name__ == "__main__":
    for name in PAGES:
        path = TOP / name
        path.write_text(filled(path.read_text()))
