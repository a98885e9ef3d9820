"""The bench: takes every figure in one run, prints the tables, and with --write puts them into README.md."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from kmsg_bench import audit, guest, idle, latency, machine, start, tracers
from kmsg_bench.beside import Beside
from kmsg_bench.child import BenchError
from kmsg_bench.comparison import IN_GUEST, NATIVE, compare, say
from kmsg_bench.cost import Effort
from kmsg_bench.peers import default_peers
from kmsg_bench.programs import Clearer, compile_programs
from kmsg_bench.report import Results, render, write
from kmsg_bench.service import agent, collector, settle
from kmsg_bench.store import Store
from kmsg_bench.tracers import Site

from kmsg_exporter.tracefs.files import open_tracefs

_HERE = Path(__file__).parent
_LIMIT_SECONDS = 1800  # of a busy machine; a quiet one takes less than 600


def main() -> int:
    """Exit code 0 whatever the figures are, 1 when they could not be taken."""
    options = _options()
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, _stopped)
    signal.alarm(_LIMIT_SECONDS * max(1, len(options.guests)))
    try:
        text = render(_measure(options))
        print(text)
        if options.write:
            write(_HERE / "README.md", text)
    except BenchError as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 1
    return 0


def _measure(options: argparse.Namespace) -> Results:
    proc, dev = options.path_procfs, options.path_dev
    machine.require_free(options.path_tracefs, proc)
    facts = machine.facts(proc)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kmsg-bench-")))
        machine.byte_compile(directory / "pycache")
        compile_programs(_HERE / "programs", directory)
        stack.enter_context(machine.unlimited_log(proc))
        receiver = stack.enter_context(collector(directory))
        store = stack.enter_context(Store(directory / "collector" / "events.sqlite3"))
        clearer = Clearer(directory)

        say("an agent that has nothing to do")
        settle(_made(directory / "idle"), push_to=receiver.port)
        with agent(directory / "idle", push_to=receiver.port) as idling:
            at_rest = idle.measure(idling, store, directory, clearer, seconds=options.idle_seconds, dev=dev)
        say("from exec to ready")
        starts = start.measure(
            directory / "idle", store, clearer, starts=options.starts, push_to=receiver.port, dev=dev
        )
        say("from a clear to where it is seen")
        with agent(_made(directory / "latency"), push_to=receiver.port) as watching:
            latencies = latency.measure(watching, store, clearer, clears=options.clears, dev=dev)
        beside = [_native(_made(directory / "beside"), directory, receiver.port, options)]
        for kernel in options.guests:
            say(f"a guest with Debian's {kernel} boots")
            results = _made(directory / f"guest-{kernel}")
            found = guest.compare(kernel, results, directory, default_peers(), load_seconds=options.guest_load_seconds)
            beside.append(Beside(f"on {kernel}, emulated", IN_GUEST, found))
    return Results(facts, tuple(beside), latencies, at_rest, starts)


def _native(directory: Path, programs: Path, push_to: int, options: argparse.Namespace) -> Beside:
    site = Site(directory, default_peers(), push_to)
    lineup = NATIVE
    if reason := audit.in_use(site.peers) if options.audit else "it is not wanted":
        say(f"audit is left out here: {reason}")
        lineup = lineup.without(tracers.AUDIT)
    tracefs = open_tracefs(options.path_tracefs, proc=options.path_procfs)
    found = compare(lineup, site, programs, tracefs, Effort(options.rounds), load_seconds=options.load_seconds)
    return Beside("natively", lineup, found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Clears this machine's kernel log. " + (__doc__ or ""))
    parser.add_argument("--write", action="store_true", help="put the tables into README.md, too")
    parser.add_argument("--rounds", type=int, default=4, help="of every tracer (default: %(default)s)")
    parser.add_argument("--clears", type=int, default=300, help="for each latency (default: %(default)s)")
    parser.add_argument("--starts", type=int, default=10, help="(default: %(default)s)")
    parser.add_argument("--idle-seconds", type=float, default=60, help="(default: %(default)s)")
    parser.add_argument("--load-seconds", type=float, default=10, help="of each load (default: %(default)s)")
    parser.add_argument("--guest-load-seconds", type=float, default=4, help="in a guest (default: %(default)s)")
    parser.add_argument("--guests", nargs="*", default=["6.12"], help="kernels to boot (default: %(default)s)")
    parser.add_argument("--audit", action=argparse.BooleanOptionalAction, default=True, help="natively, too")
    parser.add_argument("--path.procfs", dest="path_procfs", type=Path, default=Path("/proc"))
    parser.add_argument("--path.dev", dest="path_dev", type=Path, default=Path("/dev"))
    parser.add_argument("--path.tracefs", dest="path_tracefs", type=Path, default=Path("/sys/kernel/tracing"))
    return parser.parse_args()


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise BenchError("it takes too long")


def _stopped(_number: int, _frame: FrameType | None) -> None:
    raise BenchError("stopped")


if __name__ == "__main__":
    sys.exit(main())
