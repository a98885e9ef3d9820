"""The agent's own log: what one round tells of clears."""

from __future__ import annotations

import pytest

from kmsg_exporter.agent.narrator import narrate_clears
from kmsg_exporter.model import Access, Actor


def told(names: list[str], caplog: pytest.LogCaptureFixture) -> list[str]:
    calls = [Access(number, 42, name.encode(), "syslog", "call", "clear", 0, None) for number, name in enumerate(names)]
    actors = {call: Actor(42, 42, name, "/usr/bin/x", "procfs") for call, name in zip(calls, names, strict=True)}
    caplog.set_level("INFO", "kmsg_exporter")
    narrate_clears(calls, actors)
    return [record.getMessage() for record in caplog.records]


def test_many_clears_by_one_actor_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    assert told(["dmesg"] * 3, caplog) == [
        "dmesg (/usr/bin/x, pid 42) cleared the kernel log 3 times; nothing was hidden by it"
    ]


def test_clears_by_very_many_actors_are_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    lines = told([f"n{number}" for number in range(1000)] * 2, caplog)
    assert len(lines) == 11
    assert lines[0] == "n0 (/usr/bin/x, pid 42) cleared the kernel log 2 times; nothing was hidden by it"
    assert lines[-1] == "990 others cleared the kernel log 1980 times; nothing was hidden by it"
