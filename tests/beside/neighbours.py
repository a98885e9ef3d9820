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

from support import DEADLINE_SECONDS, TRACEFS, eventually, klogctl, kprobe_command

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


class TraceCmd:
    """trace-cmd at the top level and in an instance, there and there with the function tracer and probes of its own.

    `trace-cmd record` ends with what its readers have not fetched yet, and on a busy machine loses it now and then,
    whoever else traces: what the kernel's buffers hold is taken out of them at the end here.
    """

    KINDS = tuple(f"{where}{what}" for where in ("", f"{NAME}: ") for what in ("function", "log_call", "log_return"))

    def __init__(self, directory: Path) -> None:
        self._recorded = directory / "trace.dat"

    def __enter__(self) -> Self:
        what = ["-p", "function", "-l", SYSLOG, "-e", NAME]
        with ExitStack() as stack:
            stack.enter_context(probe("p", "log_call"))
            stack.enter_context(probe("r", "log_return"))
            stack.callback(_undo)
            trace_cmd("start", *what, "-B", NAME, *what)
            self._traced = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """It has gone, and left what it recorded in a file; ending twice does no harm."""
        if not self._recorded.exists():
            with self._traced:
                trace_cmd("stop", "-t", "-B", NAME)
                trace_cmd("extract", "-o", str(self._recorded), "-t", "-B", NAME)

    def differs(self, pids: Iterable[int]) -> dict[str, dict[int, int]]:
        """Where it has not one record of a kind of a process, but so many; asked once it has ended."""
        report = trace_cmd("report", "-i", str(self._recorded))
        line = re.compile(rf"^ *({NAME}: )? *.+-(\d+) +\[\d+\] .*?: (function|log_call|log_return):", re.MULTILINE)
        found = Counter((where + what, int(pid)) for where, pid, what in line.findall(report))
        wrong = {kind: {pid: found[kind, pid] for pid in pids if found[kind, pid] != 1} for kind in self.KINDS}
        return {kind: counts for kind, counts in wrong.items() if counts}


def _undo() -> None:
    """What `trace-cmd reset` would do, which takes away everybody's probes as well; extract removes the instance."""
    instance = TRACEFS / "instances" / NAME
    for top in (one for one in (instance, TRACEFS) if one.is_dir()):
        (top / "events" / NAME / "enable").write_text("0")
        (top / "current_tracer").write_text("nop")
        (top / "set_ftrace_filter").write_text("")
        (top / "tracing_on").write_text("1")
    if instance.is_dir():
        instance.rmdir()


def trace_cmd(*arguments: str) -> str:
    """What it prints."""
    return subprocess.run(["trace-cmd", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


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
