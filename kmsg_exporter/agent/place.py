"""The agent's place on this node: one agent, with the privileges it needs."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path

from kmsg_exporter.config import Config
from kmsg_exporter.errors import NotPermitted, TracefsError
from kmsg_exporter.tracefs.files import open_tracefs
from kmsg_exporter.tracefs.handover import hold_or_ask, offer
from kmsg_exporter.tracefs.lock import hold

CAP_SYSLOG = 34
SOCKET_NAME = "agent.sock"


def capabilities(proc: Path) -> int:
    """This process's effective capabilities as a bit set."""
    lines = (proc / "self" / "status").read_text().splitlines()
    return next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)


def require_privileges(config: Config) -> None:
    """Raises NotPermitted for a user that can neither trace nor look at the log."""
    if os.geteuid() != 0 and not capabilities(config.path_procfs) >> CAP_SYSLOG & 1:
        raise NotPermitted(
            "needs root: the kernel shows tracefs and the state of its log to root only.\n"
            "Start it with sudo, as a systemd service or as a pod with runAsUser 0; `kmsg-exporter doctor` says more."
        )


def take_node(config: Config, stack: ExitStack, *, asks: bool = False) -> None:
    """Hold this node until `stack` unwinds. Raises AlreadyRunning, and TracefsError where there is no tracefs.

    Who `asks` gets it from a holder that has offered to give way.
    """
    tracefs = open_tracefs(config.path_tracefs, proc=config.path_procfs)
    # the host and its containers see the same folder, so the lock is the whole node's
    stack.callback(os.close, (hold_or_ask if asks else hold)(tracefs.root, proc=config.path_procfs))


def offer_node(config: Config, stack: ExitStack) -> int | None:
    """Offer to give way; the descriptor to ask `is_wanted` of, None where there is no tracefs."""
    try:
        offered = offer(open_tracefs(config.path_tracefs, proc=config.path_procfs).root)
    except TracefsError:
        return None
    stack.callback(os.close, offered)
    return offered


def take(config: Config, stack: ExitStack, *, asks: bool = False) -> None:
    """Hold this node and this state directory until `stack` unwinds. Raises AlreadyRunning."""
    with suppress(TracefsError):
        take_node(config, stack, asks=asks)
    try:
        config.state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = hold(config.state_directory, proc=config.path_procfs)
    except OSError:
        return  # the spool says that it can't write there, and goes on in memory
    stack.callback(os.close, lock)
