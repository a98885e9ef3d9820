"""docs/event.md has every attribute that the agent sends and the collector reads, and its example is read."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from kmsg_exporter.collector.decode import decode_logs
from kmsg_exporter.model import Actor, Emptying, Hidden
from kmsg_exporter.push.otlp import log_record

sys.path.insert(0, str(Path(__file__).parents[3] / "docs"))
import generate
import vocabulary

TOP = generate.TOP
CODE = TOP / "kmsg_exporter"
ATTRIBUTES = {word.name for word in vocabulary.ATTRIBUTES}
ALWAYS = {word.name for word in vocabulary.ATTRIBUTES if word.when == vocabulary.ALWAYS}
SOMEBODY = Actor(pid=4242, tid=4242, comm="dmesg", exe="", source="fork_trace")


def keys(record: Any) -> set[str]:
    return {pair["key"] for pair in record["attributes"]}


def made(emptying: Emptying) -> dict[str, Any]:
    return log_record(emptying, node="n", boot_id="b", uid="u", sequence=1, observed_unix_ns=2)


def names(path: Path) -> set[str]:
    """Every text of the module that looks like an attribute's name."""
    texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    return {
        text for text in texts if isinstance(text, str) and re.fullmatch(r"(kmsg|process|event|log)(\.[a-z_]+)+", text)
    } - {"kmsg.emptied", "event.html"}


def test_every_name_in_the_code_that_makes_an_event_is_in_the_reference_and_none_besides() -> None:
    assert names(CODE / "push" / "otlp.py") == ATTRIBUTES


def test_every_name_that_a_reader_of_events_asks_for_is_in_the_reference() -> None:
    readers = [path for folder in ("collector", "why", "commands") for path in (CODE / folder).glob("*.py")]
    asked = {path.name: names(path) - ATTRIBUTES for path in readers}
    assert {name: unknown for name, unknown in asked.items() if unknown} == {}
    assert "kmsg.process.origin" in names(CODE / "collector" / "decode.py")


def test_an_event_with_all_that_there_can_be_has_every_name() -> None:
    assert keys(generate.everything()) == ATTRIBUTES
    assert list(generate.everything()) == [word.name for word in vocabulary.RECORD]
    assert set(generate.resource().attributes) == {word.name for word in vocabulary.RESOURCE}


@pytest.mark.parametrize("actor", [None, SOMEBODY], ids=["nobody", "somebody"])
def test_what_is_said_to_be_there_always_is(actor: Actor | None) -> None:
    least = made(Emptying(time_unix_ns=7, time_boot_ns=3, hidden=Hidden(), actor=actor))
    named = {word.name for word in vocabulary.ATTRIBUTES if word.when == "somebody is named"}
    called = {"kmsg.action", "kmsg.interface"}  # of the call, which is known with whom made it
    assert keys(least) == ALWAYS | (named - called if actor else set())


def test_without_dev_kmsg_nothing_of_the_hidden_records_is_said() -> None:
    counted = {word.name for word in vocabulary.ATTRIBUTES if "`/dev/kmsg`" in word.when}
    assert counted == {"kmsg.hidden.records", "kmsg.hidden.first_seq", "kmsg.hidden.last_seq", "kmsg.hidden.by_level"}
    assert keys(made(Emptying(time_unix_ns=7, hidden=Hidden()))) & counted == set()
    assert keys(made(Emptying(time_unix_ns=7, hidden=Hidden(1, 5, 5, {"err": 1})))) >= counted


def test_the_collector_reads_the_example() -> None:
    batch = decode_logs(generate.EVENT.read_bytes())
    (event,) = batch.events
    assert (batch.refused, event.node, event.comm, event.exe) == ((), "guest", "dmesg", "/usr/bin/dmesg")
    assert (event.origin, event.extent.hidden, event.extent.severe) == ("cleanup.sh", 389, 1)


def test_the_example_has_the_types_of_the_code() -> None:
    (sent,) = json.loads(generate.EVENT.read_text())["resourceLogs"]
    (record,) = sent["scopeLogs"][0]["logRecords"]
    types = {pair["key"]: list(pair["value"]) for pair in generate.everything()["attributes"]}
    assert {pair["key"]: list(pair["value"]) for pair in record["attributes"]}.items() <= types.items()
