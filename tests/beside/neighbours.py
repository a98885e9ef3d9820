"""Others who trace on this machine, and how often they saw each program call syslog(2)."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from support import DEADLINE_SECONDS, eventually, klogctl, kprobe_command

SYSLOG = "__x64_sys_syslog"
NAME = "neighbour"  # of the instance and of the group of probes
_SIZE_BUFFER = 10


@contextmanager
def probe(kind: Literal["p", "r"], name: str) -> Iterator[None]:
    """A probe of the neighbour's own on syslog(2), at the entry or at the return."""
    kprobe_command(f"{kind}:{NAME}/{name} {SYSLOG}")
    try:
        yield
    finally:
        kprobe_command(f"-:{NAME}/{name}")


class Neighbour:
    """A tracer in a process of its own, which records from when it is entered until it is ended."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.output = directory / f"{type(self).__name__}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def records(self) -> bool:
        """Whether it has begun."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(self.command(), stdout=output, stderr=output)
        try:
            eventually(self.records, why=f"{self.command()} records")
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """As with Ctrl-C; ending twice does no harm."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            assert process.wait(DEADLINE_SECONDS) == 0, self.said()

    def said(self) -> str:
        return self.output.read_text(errors="replace")


class TraceCmd(Neighbour):
    """trace-cmd at the top level and in an instance, there and there with the function tracer and probes of its own."""

    KINDS = tuple(f"{where}{what}" for where in ("", f"{NAME}: ") for what in ("function", "log_call", "log_return"))

    def command(self) -> list[str]:
        what = ["-p", "function", "-l", SYSLOG, "-e", NAME]
        return ["stdbuf", "-oL", "trace-cmd", "record", "-o", f"{self.directory}/trace.dat", *what, "-B", NAME, *what]

    def records(self) -> bool:
        return "Hit Ctrl^C to stop recording" in self.said()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(probe("p", "log_call"))
            stack.enter_context(probe("r", "log_return"))
            super().__enter__()
            self._probes = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._probes:
            super().__exit__(kind, exc, trace)

    def differs(self, pids: Iterable[int]) -> dict[str, dict[int, int]]:
        """Where it has not one record of a kind of a process, but so many; asked once it has ended."""
        report = subprocess.run(
            ["trace-cmd", "report", "-i", f"{self.directory}/trace.dat"], check=True, capture_output=True, text=True
        ).stdout
        line = re.compile(rf"^ *({NAME}: )? *.+-(\d+) +\[\d+\] .*?: (function|log_call|log_return):", re.MULTILINE)
        found = Counter((where + what, int(pid)) for where, pid, what in line.findall(report))
        wrong = {kind: {pid: found[kind, pid] for pid in pids if found[kind, pid] != 1} for kind in self.KINDS}
        return {kind: counts for kind, counts in wrong.items() if counts}


class BpfTrace(Neighbour):
    """bpftrace counting calls by comm, at one probe of its own."""

    def __init__(self, directory: Path, probe: str) -> None:
        super().__init__(directory)
        self._probe = probe
        self.asked = 0  # calls of ours, to see whether it sees them

    def command(self) -> list[str]:
        script = f"{self._probe} {{ @[comm] = count(); }} interval:ms:100 {{ print(@); }}"
        return ["bpftrace", "-f", "json", "-e", script]

    def records(self) -> bool:
        self.asked += 1
        klogctl(_SIZE_BUFFER)
        return bool(self._counts())

    def saw(self, *programs: str) -> dict[str, int]:
        """How many calls it has counted of each program; once it has ended."""
        counts = self._counts()
        return {program: counts.get(program, 0) for program in programs}

    def _counts(self) -> dict[str, int]:
        """By comm, as it printed them last."""
        printed = (json.loads(line) for line in self.said().splitlines() if line.startswith("{"))
        maps = [one["data"].get("@", {}) for one in printed if one["type"] == "map"]
        return maps[-1] if maps else {}
