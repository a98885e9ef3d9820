"""systemd's notifications (sd_notify(3)): ready, alive, stopping. Where systemd did not start us, nothing is sent."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)

_SEND_SECONDS = 1.0


class Notifier:
    """`alive` may be called as often as one likes: it sends three times in a watchdog's period.

    Sources: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID as systemd sets them. A message that can't be sent is logged:
    systemd then does what it does with a service that says nothing.
    """

    def __init__(self, environ: Mapping[str, str], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        period = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._pause_seconds = int(period) / 3e6 if ours and period.isdigit() else None
        self._monotonic = monotonic
        self._next = 0.0

    def ready(self, status: str) -> None:
        """What was promised is in place; `status` is shown by `systemctl status`."""
        self._send(f"READY=1\nSTATUS={' '.join(status.split())}")

    def alive(self) -> None:
        """To be called by the loop that has to live, and by nothing else."""
        if self._pause_seconds is not None and self._monotonic() >= self._next:
            self._next = self._monotonic() + self._pause_seconds
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(_SEND_SECONDS)
                sock.connect(self._address)
                sock.send(message.encode())
        except OSError as exc:
            _log.warning("systemd could not be told %s: %s", message.partition("\n")[0], exc)
