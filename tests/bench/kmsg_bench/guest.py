"""The same comparison in a booted guest: its kernel has kprobes, the function tracer and hist triggers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from kmsg_bench.child import BenchError
from kmsg_bench.comparison import Comparison
from kmsg_bench.peers import Peers
from kmsg_bench.programs import CALLS, LOAD

_CHECKOUT: Final = Path(__file__).parents[3]
_INSIDE: Final = Path("/opt/kmsg-exporter")
_BENCH: Final = _INSIDE / "tests" / "bench"
_TIMEOUT_SECONDS = 900.0
_PEERS: Final = Path("/opt/peers")
_PROGRAMS: Final = Path("/opt/programs")
_FIGURES: Final = Path("/out/figures.json")

sys.path.insert(0, str(_CHECKOUT / "tests" / "guest"))

import boot  # noqa: E402
from initrd import Copy  # noqa: E402


def compare(kernel: str, directory: Path, programs: Path, peers: Peers, *, load_seconds: float) -> Comparison:
    """Boot one kernel and take its figures. Raises BenchError."""
    copies = [
        Copy(_CHECKOUT / "kmsg_exporter", str(_INSIDE / "kmsg_exporter")),
        Copy(_CHECKOUT / "tests" / "bench", str(_BENCH)),
        Copy(peers.root, str(_PEERS)),
        *(Copy(programs / name, str(_PROGRAMS / name)) for name in (CALLS, LOAD)),
    ]
    arguments = [str(argument) for argument in (_PEERS, _PROGRAMS, _FIGURES, load_seconds)]
    command = ["env", f"PYTHONPATH={_INSIDE}", "python3", str(_BENCH / "in_guest.py"), *arguments]
    try:
        ended = boot.boot(
            kernel,
            command,
            memory="2G",
            smp="1",  # of two that are emulated by one thread, one's time would be the other's
            timeout_seconds=_TIMEOUT_SECONDS,
            copies=copies,
            out=directory,
            output=sys.stderr.buffer,
        )
    except boot.GuestError as exc:
        raise BenchError(str(exc)) from exc
    if ended.status != 0:
        raise BenchError(f"the guest's figures could not be taken: in_guest.py ended with {ended.status}")
    return Comparison.from_json(json.loads((directory / _FIGURES.name).read_text()))
