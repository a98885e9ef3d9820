"""Under load everybody has his own name; whose records are overwritten has none."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from figures import Figures
from load import busy_cpus, execs
from scraper import scraped
from support import CLEAR, CONSOLE_LEVEL, TRACEFS, Agent, eventually, running

CALLERS = 1000
LOST_CALLERS = 20
EXECS_PER_SECOND = 500
RECORDER = TRACEFS / "instances" / "kmsg_exporter_recorder"


def named_callers(programs: Path, folder: Path, count: int) -> list[Path]:
    """Programs of their own names that call once and exit."""
    folder.mkdir()
    found = [folder / f"caller-{number}" for number in range(count)]
    (folder / "caller").write_bytes((programs / "caller").read_bytes())
    (folder / "caller").chmod(0o755)
    for path in found:
        path.hardlink_to(folder / "caller")
    return found


def call(program: Path, action: int) -> int:
    """Run one caller to its end; the pid that it had."""
    process = subprocess.Popen([program, str(action)])
    assert process.wait() == 0
    return process.pid


def seen(agent: Agent, metric: str) -> dict[tuple[str, str], float]:
    return {(labels["comm"], labels["exe"]): value for labels, value in agent.samples(metric)}


def test_1000_of_1000_callers_that_exit_at_once_have_their_own_exe(
    tmp_path: Path, backend: str, programs: Path, figures: Figures
) -> None:
    callers = named_callers(programs, tmp_path / "callers", CALLERS)
    clears, changes = callers[::2], callers[1::2]
    with running(tmp_path / "agent", backend, "--metrics.max-pairs=2000") as agent, scraped(agent.port):
        with busy_cpus(), execs(programs, EXECS_PER_SECOND) as beside:
            for clearing, changing in zip(clears, changes, strict=True):
                call(clearing, CLEAR)
                call(changing, CONSOLE_LEVEL)
        figures.add("execs a second beside 1,000 callers", f"{beside.per_second:.0f}", f"{EXECS_PER_SECOND}")
        assert agent.count("kmsg_exporter_trace_lost_events_total") == 0
        eventually(lambda: agent.count("kmsg_clears_total") >= len(clears))
        eventually(lambda: agent.count("kmsg_console_changes_total") >= len(changes))
        assert seen(agent, "kmsg_clears_total") == {(path.name, str(path)): 1.0 for path in clears}
        assert seen(agent, "kmsg_console_changes_total") == {(path.name, str(path)): 1.0 for path in changes}


@pytest.mark.parametrize("action", [CLEAR, CONSOLE_LEVEL])
def test_overwritten_records_name_nobody_even_where_the_pid_is_somebody_elses_now(
    tmp_path: Path, backend: str, programs: Path, action: int
) -> None:
    callers = named_callers(programs, tmp_path / "callers", LOST_CALLERS)
    metric = "kmsg_clears_total" if action == CLEAR else "kmsg_console_changes_total"
    with running(tmp_path / "agent", backend, "--trace.budget-mib=1") as agent:
        before = seen(agent, metric)
        os.kill(agent.pid, signal.SIGSTOP)
        impostors: list[subprocess.Popen[bytes]] = []
        try:
            pids = [call(program, action) for program in callers]
            overwrite(programs)
            impostors = [sleeper_with(pid) for pid in pids[-3:]]
        finally:
            os.kill(agent.pid, signal.SIGCONT)
        try:
            eventually(lambda: sum(seen(agent, metric).values()) >= sum(before.values()) + LOST_CALLERS)
        finally:
            for impostor in impostors:
                impostor.kill()
                impostor.wait()
        # the kprobe itself records the comm, which then is all that is known
        comms = [path.name for path in callers] if backend == "kprobe" else [""]
        expected = {(comm, ""): float(LOST_CALLERS // len(comms)) for comm in comms}
        assert {pair: value for pair, value in seen(agent, metric).items() if pair not in before} == expected
        assert agent.count("kmsg_exporter_attributions_total", source="none") >= 1


def overwrite(programs: Path) -> None:
    """Start programs until the recorder of no CPU holds anything of before."""
    begun = boot_seconds()
    with execs(programs, 10_000):
        eventually(lambda: min(oldest_seconds()) > begun)


def oldest_seconds() -> Sequence[float]:
    """When the oldest record of each CPU's recorder was made, on the boot clock."""
    stats = [path.read_text().splitlines() for path in RECORDER.glob("per_cpu/cpu*/stats")]
    return [float(line.split()[-1]) for lines in stats for line in lines if line.startswith("oldest event ts:")]


def boot_seconds() -> float:
    return float(Path("/proc/uptime").read_text().split()[0]) + 0.01


def sleeper_with(pid: int) -> subprocess.Popen[bytes]:
    """A living process that has been given this pid, once it is free."""
    last = Path("/proc/sys/kernel/ns_last_pid")

    def start() -> subprocess.Popen[bytes] | None:
        last.write_text(str(pid - 1))
        process = subprocess.Popen(["sleep", "600"])
        if process.pid == pid:
            return process
        process.kill()
        process.wait()
        return None

    return eventually(start)
