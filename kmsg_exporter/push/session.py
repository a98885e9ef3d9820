"""requests on a Wire: each connection, through a proxy too, ends when the exchange does. After `lean_requests` only."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from kmsg_exporter.push.wire import Wire


def session_on(wire: Wire) -> Session:
    """A session whose connections are all made by `wire`."""
    session = Session()
    session.headers["Accept-Encoding"] = "identity"
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(wire))
    return session


class _Adapter(HTTPAdapter):
    def __init__(self, wire: Wire) -> None:
        self._pools = _pools_on(wire)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """requests itself would show a proxy what is for this node alone, as the embedded collector's token."""
        if is_loopback(request.url or ""):
            kwargs["proxies"] = None
        return super().send(request, *args, **kwargs)


def is_loopback(url: str) -> bool:
    """Its host is never reached through a proxy, as Go's ProxyFromEnvironment has it."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _pools_on(wire: Wire) -> dict[str, type[HTTPConnectionPool]]:
    def connect(connection: HTTPConnection) -> Any:
        try:
            return wire.connect(connection._dns_host, connection.port, connection.socket_options)
        except OSError as exc:
            raise NewConnectionError(connection, "no connection") from exc

    class Plain(HTTPConnection):
        def _new_conn(self) -> Any:
            return connect(self)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> Any:
            return connect(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
