"""Who is killed in the second in which emptyings are gathered forgets nobody and blames nobody else."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from support import Agent, eventually, printk, run_python, running

MARK = "to be hidden by the "


def clear(name: str) -> None:
    """By a process of this name."""
    run_python("assert klogctl(5, None, 0) == 0", name=name)


def hid(agent: Agent, known: int) -> list[tuple[str, str]]:
    """(who is told to have hidden it, who was to hide it) for each of our lines."""
    found = []
    for event in agent.events()[known:]:
        actors = event.get("kmsg.actors") or [f"0 {event.get('kmsg.process.comm')}"]
        lines = [line.partition(MARK)[2] for line in event.get("kmsg.hidden.sample", ()) if MARK in line]
        names = [actor.split(" ")[1] for actor in actors]
        found += [(line if line in names else names[0], line) for line in lines]
    return found


@pytest.mark.backends("kprobe", "tracepoint")
@pytest.mark.kernels("6.12")
def test_what_was_held_when_the_agent_was_killed_is_told_of_who_did_it(tmp_path: Path, backend: str) -> None:
    draft = tmp_path / "run" / "spool.draft"
    with running(tmp_path, backend) as agent:
        known = len(agent.told())
        for name in ("first", "second"):
            printk(f"{MARK}{name}")
            clear(name)
            eventually(lambda: f"{MARK}{name}" in draft.read_text())  # noqa: B023
        agent.stop(signal.SIGKILL)
        clear("third")
        agent.start()
        eventually(lambda: len(hid(agent, known)) == 2)
        assert hid(agent, known) == [("first", "first"), ("second", "second")]
        assert agent.count("kmsg_clears_total", comm="third") == 1
