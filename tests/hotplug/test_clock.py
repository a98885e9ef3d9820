"""The wall clock steps by a year, forward and back: events tell what it said, and their order."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from cleaners import Cleaners
from clock import AHEAD, BACK, step
from prometheus_client.parser import text_string_to_metric_families
from support import Agent, eventually

MINUTE = 60.0  # it is a year that must not be missed


def counters(agent: Agent) -> dict[str, float]:
    """Every counter that the agent shows."""
    families = text_string_to_metric_families(agent.get("/metrics")[1])
    counting = (sample for family in families if family.type == "counter" for sample in family.samples)
    return {f"{sample.name}{sample.labels}": sample.value for sample in counting}


def said_by(agent: Agent, sequence: int) -> dict[str, Any]:
    """The event with this number, as soon as it is there."""
    return eventually(lambda: next((one for one in agent.events() if one["kmsg.sequence"] == sequence), None))


@pytest.mark.parametrize("steps", [(AHEAD, BACK), (BACK, AHEAD)], ids=["ahead first", "back first"])
def test_an_event_has_the_time_of_its_moment_and_its_place_in_the_order(
    agent: Agent, tmp_path: Path, steps: tuple[str, ...]
) -> None:
    cleaners = Cleaners(agent, tmp_path)
    told = int(agent.count("kmsg_emptied_total"))
    boottime_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    for sequence, by in enumerate(("", *steps), start=told + 1):
        before = counters(agent)
        step(by)
        begun = time.time()
        cleaners.clear(f"clears-{sequence}", times=1)
        event = said_by(agent, sequence)
        assert event["kmsg.process.comm"] == f"clears-{sequence}"
        assert event["time_unix_ns"] / 1e9 == pytest.approx(begun, abs=MINUTE)
        assert agent.count("kmsg_last_emptied_timestamp_seconds") == pytest.approx(begun, abs=MINUTE)
        assert boottime_ns < event["kmsg.boottime_nano"] < time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        boottime_ns = event["kmsg.boottime_nano"]
        after = counters(agent)
        assert [name for name, value in before.items() if after[name] < value] == []
        assert after["kmsg_emptied_total{}"] == before["kmsg_emptied_total{}"] + 1
    cleaners.are_counted_once_and_named()
    eventually(lambda: agent.value("kmsg_exporter_push_queue_events") == 0)
    assert agent.count("kmsg_exporter_push_last_success_timestamp_seconds") == pytest.approx(time.time(), abs=MINUTE)
    uids = [event["log.record.uid"] for event in agent.events()]
    assert uids == sorted(uids)
    assert sorted(stored["uid"] for stored in agent.collected()) == uids
