"""Debian's auditd with one rule for syslog(2), from its start until audit is off again.

Once audit was on, every process that is born later carries an audit context until it ends, and with it the slow path
of system calls, even when audit is off again. Only the rule `never,task` prevents that, so it is there before, is
lifted for the moment in which our caller is born, and stays: it goes with the next boot.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kmsg_bench.child import BenchError, Child
from kmsg_bench.peers import Peers
from kmsg_bench.service import until

_NO_CONTEXT: Final = "never,task"
_RULE: Final = ("-a", "always,exit", "-F", "arch=b64", "-S", "syslog")
_BACKLOG: Final = "8192"  # as in Debian's audit.rules
# Debian's auditd.conf, as far as it matters here, with the log elsewhere
_CONF = """local_events = yes
write_logs = yes
log_file = {log}
log_group = root
log_format = ENRICHED
flush = INCREMENTAL_ASYNC
freq = 50
max_log_file = 8
num_logs = 5
priority_boost = 4
max_log_file_action = ROTATE
space_left = 75
admin_space_left = 50
space_left_action = SYSLOG
admin_space_left_action = SUSPEND
disk_full_action = SUSPEND
disk_error_action = SUSPEND
"""
_READY_SECONDS = 60.0


class Auditd(Child):
    """auditd, with its rule in the kernel once `start` has returned. It costs what its process and kauditd cost."""

    stop_signal = signal.SIGTERM

    def __init__(self, directory: Path, peers: Peers) -> None:
        directory.mkdir(mode=0o700, exist_ok=True)
        (directory / "auditd.conf").write_text(_CONF.format(log=directory / "audit.log"))
        (directory / "auditd.conf").chmod(0o640)
        self._peers = peers
        self._before: dict[str, str] = {}
        super().__init__(peers.command("auditd", "-n", "-c", directory), directory / "auditd.out")

    def start(self) -> None:
        self._before = self._status()
        if reason := in_use(self._peers):
            raise BenchError(reason)
        super().start()
        try:
            until(self._listens, "auditd to listen", _READY_SECONDS, 0.05)
            self._ctl("-b", _BACKLOG)
            self._let_no_process_in()
            self._ctl(*_RULE)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        try:
            if self.is_started:
                self._ctl("-D")
                self._let_no_process_in()
                self._ctl("-e", "0")
                self._ctl("-b", self._before["backlog_limit"])
        finally:
            super().stop()

    @contextmanager
    def births(self) -> Iterator[None]:
        """Processes that are born in here are audited for the rest of their life."""
        self._ctl("-d", _NO_CONTEXT)
        try:
            yield
        finally:
            self._let_no_process_in()

    def cpu_seconds(self) -> float:
        return super().cpu_seconds() + self.cpu_seconds_of(self._kernel_thread())

    def lost(self) -> int:
        """Records that the kernel gave up since the start."""
        return int(self._status()["lost"]) - int(self._before["lost"])

    def _listens(self) -> bool:
        self.require_alive()
        status = self._status()
        return status["pid"] == str(self.pid) and status["enabled"] == "1"

    def _let_no_process_in(self) -> None:
        if _NO_CONTEXT not in _rules(self._peers):
            self._ctl("-a", _NO_CONTEXT)

    def _status(self) -> dict[str, str]:
        return dict(re.findall(r"^(\w+) (\d+)", self._ctl("-s"), re.MULTILINE))

    def _ctl(self, *arguments: str) -> str:
        return _auditctl(self._peers, *arguments)

    def _kernel_thread(self) -> Path:
        return next(path.parent for path in self._proc.glob("[0-9]*/comm") if path.read_text() == "kauditd\n")


def in_use(peers: Peers) -> str:
    """Why audit can't be measured here: somebody else has it. Empty when it is free."""
    status = _auditctl(peers, "-s")
    if "enabled 0\n" not in status or "pid 0\n" not in status:
        return "audit is in use on this machine: measured would be somebody else's rules too"
    others = [line for line in _rules(peers).splitlines() if line not in ("No rules", f"-a {_NO_CONTEXT}")]
    return f"somebody has left rules in audit: {others[0]}" if others else ""


def _rules(peers: Peers) -> str:
    return _auditctl(peers, "-l")


def _auditctl(peers: Peers, *arguments: str) -> str:
    ran = subprocess.run(peers.command("auditctl", *arguments), capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise BenchError(f"auditctl {' '.join(arguments)}: {(ran.stderr or ran.stdout).strip()}")
    return ran.stdout
