"""A clear that hid something is an emptying: counted once, told with what was hidden, stored at the collector once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support import TRACEFS, Agent, all_records, eventually, klogctl, printk, run_python, visible_records

DMESG = os.path.realpath(shutil.which("dmesg") or "dmesg")
NAMES = pytest.mark.backends("kprobe", "tracepoint", "function")


def emptied(agent: Agent) -> float:
    return agent.count("kmsg_emptied_total")


def test_a_clear_of_what_is_visible_empties_the_log(agent: Agent, backend: str) -> None:
    while True:
        known, before = len(agent.told()), emptied(agent)
        printk("<3>the last words of somebody")
        printk("<6>and one more line")
        visible = visible_records()
        subprocess.run([DMESG, "-C"], check=True)
        newest = all_records()[-1]
        eventually(lambda: emptied(agent) == before + 1)  # noqa: B023
        if newest == visible[-1]:
            break  # else the kernel printed in between: once more
    event = eventually(lambda: agent.events()[known:])[0]
    first, last = (int(record.split(",")[1]) for record in (visible[0], visible[-1]))
    assert event["kmsg.hidden.first_seq"] == first
    assert event["kmsg.hidden.last_seq"] == last
    assert event["kmsg.hidden.records"] == last - first + 1
    assert event["kmsg.hidden.by_level"]["err"] >= 1
    assert [line.partition("] ")[2] for line in event["kmsg.hidden.sample"][-2:]] == [
        "the last words of somebody",
        "and one more line",
    ]
    assert event.get("process.executable.path") == (None if backend == "state" else DMESG)
    assert event.get("kmsg.action") == {"state": None, "function": "unknown"}.get(backend, "clear")


def test_the_gauges_tell_the_state_of_the_log(agent: Agent) -> None:
    before = emptied(agent)
    printk("something to see")
    eventually(lambda: agent.value("kmsg_empty") == 0)
    subprocess.run([DMESG, "-C"], check=True)
    eventually(lambda: emptied(agent) == before + 1)  # the log may be seen empty before its clear has returned
    eventually(lambda: agent.value("kmsg_empty") == 1)
    records = all_records()
    oldest, newest = (int(record.split(",")[1]) for record in (records[0], records[-1]))
    assert agent.value("kmsg_hidden_records") == newest - oldest + 1
    assert agent.value("kmsg_records_total") == newest + 1
    assert agent.value("kmsg_overwritten_records_total") == oldest
    assert agent.value("kmsg_buffer_bytes") == klogctl(10)
    printk("something to see again")
    eventually(lambda: agent.value("kmsg_empty") == 0)


@NAMES
def test_a_clear_of_an_empty_log_empties_nothing(agent: Agent, backend: str) -> None:
    before = emptied(agent)
    printk("one")
    subprocess.run([DMESG, "-C"], check=True)
    eventually(lambda: emptied(agent) == before + 1)
    clears = agent.count("kmsg_clears_total")
    subprocess.run([DMESG, "-C"], check=True)
    if backend != "function":  # which can't tell a clear from any other call but by the log's state
        eventually(lambda: agent.count("kmsg_clears_total") == clears + 1)
    printk("then another one")
    subprocess.run([DMESG, "-C"], check=True)
    eventually(lambda: emptied(agent) >= before + 2)
    assert emptied(agent) == before + 2


@pytest.mark.backends("kprobe", "tracepoint")
def test_ten_emptyings_one_after_the_other_are_ten(agent: Agent) -> None:
    before = emptied(agent)
    for number in range(10):
        printk(f"line {number}")
        subprocess.run([DMESG, "-C"], check=True)
    eventually(lambda: emptied(agent) >= before + 10)
    assert emptied(agent) == before + 10


def test_what_no_call_explains_is_unattributed(agent: Agent, backend: str) -> None:
    """With the backend's recording paused a clear is like one that tracing can't see."""
    before, unexplained = emptied(agent), agent.count("kmsg_unattributed_clears_total")
    known = len(agent.told())
    printk("nobody saw who")
    recording = TRACEFS / "instances" / "kmsg_exporter" / "tracing_on"
    paused = backend != "state"
    try:
        if paused:
            recording.write_text("0")
        subprocess.run([DMESG, "-C"], check=True)
        eventually(lambda: agent.count("kmsg_unattributed_clears_total") == unexplained + 1)
    finally:
        if paused:
            recording.write_text("1")
    assert emptied(agent) == before + 1
    event = agent.told()[known:][0]
    assert "kmsg.process.comm" not in event
    assert "by an unknown process" in event["body"]


@pytest.mark.guest
@pytest.mark.backends("kprobe")
def test_a_read_clear_that_faults_part_of_the_way_is_a_clear_if_it_hid_something(agent: Agent) -> None:
    for number in range(20):
        printk(f"padding line {number} " + "x" * 100)
    before = emptied(agent)
    shown = len(visible_records())
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from support import faulting_buffer
address, area = faulting_buffer(600)
klogctl.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
print(klogctl(4, address, 1 << 17), ctypes.get_errno())
os._exit(0)
"""
    code = code.replace("os._exit(0)", "sys.stdout.flush(); os._exit(0)")
    result = run_python(code, name="faults").split()
    hid = len(visible_records()) < shown
    assert result == ["-1", "14"]
    assert hid, "this kernel hides what it had copied before the fault"
    eventually(lambda: agent.count("kmsg_clears_total", comm="faults", action="read_clear") == 1)
    assert emptied(agent) == before + 1


@NAMES
def test_the_collector_has_each_event_once(agent: Agent) -> None:
    before = len(agent.told())
    printk("for the collector")
    subprocess.run([DMESG, "-C"], check=True)
    eventually(lambda: len(agent.events()) > before)
    uids = [event["log.record.uid"] for event in agent.told()]
    stored = eventually(lambda: len(agent.collected()) >= len(uids) and agent.collected())
    assert sorted(event["uid"] for event in stored) == sorted(uids)
    assert [event["kmsg.sequence"] for event in agent.events()] == list(range(1, len(uids) + 1))


def test_an_emptying_is_one_structured_line_in_the_log(agent: Agent) -> None:
    import json

    printk("for the log line")
    subprocess.run([DMESG, "-C"], check=True)
    uid = eventually(lambda: agent.events()[-1:])[0]["log.record.uid"]
    lines = eventually(lambda: [json.loads(line) for line in agent.log().splitlines() if uid in line])
    assert [line["event"] for line in lines] == ["kmsg.emptied"]
