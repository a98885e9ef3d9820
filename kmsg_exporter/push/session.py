"""requests on a Wire: each connection, through a proxy too, ends when the exchange does. After `lean_requests` only."""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPResponse
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidProxyURL
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from kmsg_exporter.push.wire import Wire


def session_on(wire: Wire) -> Session:
    """A session whose connections are all made by `wire`."""
    session = _Session()
    session.headers["Accept-Encoding"] = "identity"
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(wire))
    return session


class _Session(Session):
    def get_redirect_target(self, resp: Response) -> None:
        """None is followed. requests would prepare for it all the same, and read the whole answer for that."""


class _Adapter(HTTPAdapter):
    def __init__(self, wire: Wire) -> None:
        self._pools = _pools_on(wire)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        if urlsplit(proxy).scheme not in ("http", "https"):
            raise InvalidProxyURL("no HTTP proxy")
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


class _Answer(HTTPResponse):
    def begin(self) -> None:
        """The final one: http.client knows no informational answer but 100."""
        super().begin()
        while 100 < self.status < 200 and self.status != HTTPStatus.SWITCHING_PROTOCOLS:
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()


def _pools_on(wire: Wire) -> dict[str, type[HTTPConnectionPool]]:
    def connect(connection: HTTPConnection) -> Any:
        try:
            return wire.connect(connection._dns_host, connection.port, connection.socket_options)
        except OSError as exc:
            raise NewConnectionError(connection, "no connection") from exc

    class Plain(HTTPConnection):
        response_class = _Answer

        def _new_conn(self) -> Any:
            return connect(self)

    class Secure(HTTPSConnection):
        response_class = _Answer

        def _new_conn(self) -> Any:
            return connect(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
