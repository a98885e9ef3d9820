"""The node: a booted guest with a network, the agent in it, and a log that is cleared when the test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import boot
from initrd import Copy

HERE = Path(__file__).parent
TOP = HERE.parents[1]
KERNEL = "6.1"
DRIVER = Path.home() / ".cache" / "kmsg-exporter" / "notify" / "e1000.ko"
WAIT_SECONDS = 600.0


@dataclass(frozen=True)
class Node:
    """A node that boots, lives and ends by itself; `log` is what it prints."""

    thread: threading.Thread
    log: Path

    def ready(self, answers: Callable[[], bool]) -> bool:
        """Whether its agent answers. Raises AssertionError when the node has ended."""
        assert self.thread.is_alive(), f"the node ended:\n{self.log.read_text(errors='replace')}"
        return answers()


@contextmanager
def node(directory: Path, *, metrics_port: int, signal_port: int) -> Iterator[Node]:
    """A node until the block ends; before that the server at `signal_port` must have signalled `end`, or be gone."""
    log = directory / "node.log"
    failures: list[BaseException] = []
    copies = [
        Copy(TOP / "kmsg_exporter", "/opt/kmsg-exporter/kmsg_exporter"),
        Copy(HERE / "node", "/"),
        Copy(DRIVER, "/opt/e1000.ko"),
    ]

    def run() -> None:
        try:
            with log.open("wb", buffering=0) as output:
                command = ["/on_node.sh", str(signal_port)]
                finished = boot.boot(KERNEL, command, copies=copies, output=output, timeout_seconds=WAIT_SECONDS)
            if finished.status:
                raise AssertionError(f"the node ended with {finished.status}:\n{log.read_text(errors='replace')}")
        except BaseException as exc:  # noqa: BLE001  told by the thread that waits
            failures.append(exc)

    _give_network(metrics_port)
    thread = threading.Thread(target=run, name="node")
    thread.start()
    try:
        yield Node(thread, log)
    finally:
        thread.join()
    if failures:
        raise failures[0]


def _give_network(metrics_port: int) -> None:
    """Put a card into the machine that boot.py emulates, and the agent's port on loopback."""
    kernel = boot.KERNELS[KERNEL]
    forward = f"user,id=net,hostfwd=tcp:127.0.0.1:{metrics_port}-:10144"
    qemu = (*kernel.machine.qemu, "-netdev", forward, "-device", "e1000,netdev=net,romfile=")
    boot.KERNELS[KERNEL] = replace(kernel, machine=replace(kernel.machine, qemu=qemu))
