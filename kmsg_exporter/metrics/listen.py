"""Listening sockets, from the host and port that an operator gives."""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

from kmsg_exporter.errors import KmsgExporterError

_BACKLOG: Final = 128


def open_listener(host: str, port: int) -> socket.socket:
    """A non-blocking socket that listens on `host`; "" is every interface, IPv6 too where there is any.

    Of a name's several addresses it takes one, IPv4 first. Raises KmsgExporterError when it can't be had.
    """
    try:
        listener = _listen(host, port) if host else _listen_everywhere(port)
    except OSError as exc:
        # create_server() puts the address behind the reason; a resolver's errors have numbers of their own, below 0
        reason = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
        taken = "stop what listens there (ss -ltnp shows it), or " if exc.errno == errno.EADDRINUSE else ""
        raise KmsgExporterError(
            f"cannot listen on {host}:{port}: {reason}: {taken}choose another with --web.listen-address"
        ) from exc
    listener.setblocking(False)
    return listener


def _listen(host: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    return socket.create_server(address, family=family, backlog=_BACKLOG)


def _listen_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
    return socket.create_server(("", port), backlog=_BACKLOG)
