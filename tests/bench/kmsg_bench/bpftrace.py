"""Debian's bpftrace, counting the same call: what others would reach for."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from kmsg_bench.child import BenchError, Child
from kmsg_bench.service import until

_READY_SECONDS = 20.0
# an interval is the last to be attached, and its first tick comes later still
_TICK: Final = 'interval:ms:100 { printf("tick\\n"); }'
ENTER: Final = f"tracepoint:syscalls:sys_enter_syslog {{ @[comm, args->type] = count(); }} {_TICK}"
ENTER_EXIT: Final = (
    "tracepoint:syscalls:sys_enter_syslog { @action[tid] = args->type; } "
    "tracepoint:syscalls:sys_exit_syslog /@action[tid]/ "
    "{ @[comm, @action[tid], args->ret] = count(); delete(@action[tid]); } "
    f"{_TICK}"
)


class Bpftrace(Child):
    """bpftrace with one program, running once `start` has returned."""

    def __init__(self, program: str, log: Path) -> None:
        super().__init__(["bpftrace", "-B", "none", "-e", program], log)

    def start(self) -> None:
        if shutil.which("bpftrace") is None:
            raise BenchError(
                "bpftrace is not installed: apt-get install --no-install-recommends bpftrace, or --no-bpftrace"
            )
        super().start()
        try:
            until(self._attached, "bpftrace to attach", _READY_SECONDS, 0.05)
        except BaseException:
            self.stop()
            raise

    def counted(self, comm: str) -> int:
        """How many calls of `comm` it has counted; once it has stopped."""
        return sum(int(count) for count in re.findall(rf"^@\[{re.escape(comm)}, .*\]: (\d+)$", self.log, re.MULTILINE))

    def _attached(self) -> bool:
        self.require_alive()
        return self.log.count("tick\n") >= 2
