"""Debian's bpftrace, counting the same calls and printing its maps each second, as an exporter would."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from kmsg_bench.child import Child
from kmsg_bench.peers import Peers
from kmsg_bench.service import until

_READY_SECONDS = 60.0  # what it takes to compile a program in an emulated guest
# an interval is the last to be attached, and its first tick comes later still
_EACH_SECOND: Final = 'interval:ms:100 { printf("tick\\n"); } interval:s:1 { print(@calls); }'
TRACEPOINT: Final = (
    "tracepoint:syscalls:sys_enter_syslog { @action[tid] = args->type; } "
    "tracepoint:syscalls:sys_exit_syslog /@action[tid]/ "
    "{ @calls[comm, @action[tid], args->ret] = count(); delete(@action[tid]); } "
    f"{_EACH_SECOND}"
)
# the argument is a pointer to pt_regs, which has di at 112
KPROBE: Final = (
    "kprobe:__x64_sys_syslog { @action[tid] = *(uint64*)(arg0 + 112); } "
    "kretprobe:__x64_sys_syslog /@action[tid]/ "
    "{ @calls[comm, @action[tid], retval] = count(); delete(@action[tid]); } "
    f"{_EACH_SECOND}"
)
KPROBE_READS: Final = (
    "kretprobe:devkmsg_read /(int64)retval > 0/ { @calls[comm, 2, 0] = count(); @bytes[comm] = sum(retval); } "
    f"{KPROBE}"
)


class Bpftrace(Child):
    """bpftrace with one program, running once `start` has returned."""

    def __init__(self, program: str, log: Path, peers: Peers) -> None:
        super().__init__(peers.command("bpftrace", "-B", "none", "-e", program), log)

    def start(self) -> None:
        super().start()
        try:
            until(self._attached, "bpftrace to attach", _READY_SECONDS, 0.05)
        except BaseException:
            self.stop()
            raise

    def counted(self, comm: str) -> int:
        """How many calls of `comm` it has counted, by what it printed last: all of them once it has stopped."""
        printed = re.findall(rf"^@calls\[{re.escape(comm)}, (.*)\]: (\d+)$", self.log, re.MULTILINE)
        return sum(int(count) for count in dict(printed).values())

    def _attached(self) -> bool:
        self.require_alive()
        return self.log.count("tick\n") >= 2
