"""All ways, one after the other under one agent: each is run, and what the agent tells of it is kept."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from programs import Place, Start
from support import DEADLINE_SECONDS, Agent, eventually, printk, stopped
from ways import METRICS, Way

LAUNCHER = "launcher"


@dataclass(frozen=True)
class Done:
    """One way that was gone: what it got, who it was by the kernel's own word to it, and the event that followed.

    `overwritten` is how many records had been overwritten before one that writes.
    """

    way: Way
    start: Start
    result: int
    comm: str
    exe: str
    event: dict[str, Any] | None
    overwritten: float


class Scene:
    """Runs ways below `directory`; `evade` is the program of them all.

    Their files are made at once, and so before anything is run: what is as new as a call is not believed.
    """

    def __init__(self, directory: Path, evade: Path, ways: Iterable[Way]) -> None:
        self._directory = directory
        self._evade = directory / "evade"
        self._evade.write_bytes(evade.read_bytes())  # into the file system of its links
        self._evade.chmod(0o755)
        self.launcher = Place(LAUNCHER, directory, self._evade).program()
        self._starts = {way.key: self._prepared(way) for way in ways}
        self._begun: dict[str, tuple[Start, subprocess.Popen[bytes]]] = {}

    def begin(self, way: Way, stack: ExitStack) -> None:
        """Start one. An early one, which is to be begun before the agent, waits until it is played."""
        start = self._starts[way.key]
        process = stack.enter_context(
            subprocess.Popen(
                [self.launcher, "run", *start.command],
                cwd=start.directory,
                env=dict(os.environ) | ({"EVADE_STAY": "1"} if way.stays else {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        stack.callback(process.kill)
        self._begun[way.key] = start, process
        if way.early:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"

    def _prepared(self, way: Way) -> Start:
        directory = self._directory / way.key
        directory.mkdir()
        return way.prepare(Place(way.key, directory, self._evade))

    def play(self, way: Way, agent: Agent) -> Done:
        """One way, from its beginning to what the agent tells of it."""
        known, overwritten = len(agent.told()), 0.0
        for number in range(way.padding):
            printk(f"{way.key} {number} {'x' * 80}")
        with ExitStack() as stack:
            if way.kind == "write":
                overwritten = agent.count("kmsg_overwritten_records_total")
                stack.enter_context(unlimited())
            with ExitStack() if way.watched else stopped(agent):
                if not way.early:
                    self.begin(way, stack)
                start, process = self._begun[way.key]
                said = _let(process, way)
            told = way.kind == "clear" and eventually(lambda: agent.events()[known:], why=f"{way.key} is told")
            if way.stays and way.kind == "read" and agent.backend == "kprobe":
                eventually(lambda: agent.count(METRICS["read"], comm=way.key), why=f"{way.key} is counted")
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(DEADLINE_SECONDS) == 0, way.key
        words = next((words for words in said if len(words) == 3), ["0", "-", "-"])
        comm = _text(words[1]) if start.comm is None else start.comm
        exe = _text(words[2]) if start.exe is None else start.exe
        return Done(way, start, int(words[0]), comm, exe, told[0] if told else None, overwritten)


def _let(process: subprocess.Popen[bytes], way: Way) -> list[list[str]]:
    """Have it done; the words of each line that it said. Of one that does not stay there is nothing left then."""
    assert process.stdin is not None
    assert process.stdout is not None
    if way.early:
        process.stdin.write(b"\n")
        process.stdin.flush()
    if way.stays:
        lines = [process.stdout.readline() for _ in range(way.lines)]
    else:
        process.stdin.close()
        lines = process.stdout.readlines()
        process.wait(DEADLINE_SECONDS)
    return [line.decode().split() for line in lines]


def _text(hexadecimal: str) -> str:
    return "" if hexadecimal == "-" else bytes.fromhex(hexadecimal).decode("utf-8", "replace")


@contextmanager
def unlimited() -> Iterator[None]:
    """Each write to /dev/kmsg is a record: by default they are ten in five seconds."""
    limit = Path("/proc/sys/kernel/printk_devkmsg")
    before = limit.read_text()
    limit.write_text("on\n")
    try:
        yield
    finally:
        limit.write_text(before)
