"""What went wrong with a push, in one word for the metric and one line for the log."""

from __future__ import annotations

import email.utils
import errno
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from kmsg_exporter.errors import PushError

# Seen from zero on; the rest is http_STATUS, at most one for each status there is.
REASONS: Final = ("refused", "timeout", "dns", "tls", "reset", "unreachable", "proxy", "connection", "http_other")
MAX_RETRY_AFTER_SECONDS: Final = 300.0

_RETRIABLE: Final = frozenset({429, 502, 503, 504})
_REMEDIES: Final = {
    "refused": "nothing listens there: is the collector running, is the port right?",
    "timeout": "no answer in time: is the collector overloaded, does a firewall drop the packets?",
    "dns": "the name does not resolve: check the address and this node's DNS",
    "tls": "no TLS connection: check the files OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY name",
    "reset": "the connection was cut: is this the collector's OTLP/HTTP port, http or https?",
    "unreachable": "no route: check the network and its policies",
    "proxy": "the proxy refused: check HTTP_PROXY, HTTPS_PROXY, NO_PROXY",
    "connection": "the exchange failed: is this an OTLP/HTTP port, can the certificate files be read?",
    "http_400": "the collector does not accept what it got: its log says why",
    "http_401": "check the credentials in OTEL_EXPORTER_OTLP_HEADERS",
    "http_403": "check the credentials in OTEL_EXPORTER_OTLP_HEADERS and what they allow",
    "http_404": "nothing there: OTLP/HTTP logs go to .../v1/logs as a rule",
    "http_413": "too large for the collector: raise its limit on request bodies",
    "http_500": "the collector failed: its log says why",
}
_REDIRECTED: Final = "redirects are not followed: configure the address it points to"


def http_fault(endpoint: str, status: int, retry_after: str | None, now: float) -> PushError:
    """An answer that is not 2xx. `retry_after` is the header as it came, `now` Unix seconds."""
    known = status in HTTPStatus.__members__.values()
    reason = f"http_{status}" if known else "http_other"
    retriable = status in _RETRIABLE
    remedy = _REMEDIES.get(reason) or (_REDIRECTED if 300 <= status < 400 else "see the collector's log")
    return PushError(
        f"cannot push to {endpoint}: HTTP status {status}; {remedy}",
        reason=reason,
        retriable=retriable,
        retry_after_seconds=retry_after_seconds(retry_after, now) if retriable else None,
    )


def connection_fault(endpoint: str, error: Exception) -> PushError:
    """No answer. Says nothing of the error's own text, which may repeat an address with a secret in it."""
    reason = _reason(error)
    # a certificate that is refused once is refused until somebody changes it
    retriable = not any(isinstance(exc, ssl.SSLCertVerificationError) for exc in _chain(error))
    return PushError(f"cannot push to {endpoint}: {reason}; {_REMEDIES[reason]}", reason=reason, retriable=retriable)


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Retry-After, seconds or an HTTP date, between 0 and MAX_RETRY_AFTER_SECONDS; None when it is neither."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:9])
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _reason(error: Exception) -> str:
    chain = list(_chain(error))
    names = {type(exc).__name__ for exc in chain}  # of requests and urllib3, which are not imported here
    if "ProxyError" in names:
        return "proxy"
    for exc in chain:
        if isinstance(exc, socket.gaierror):
            return "dns"
        if isinstance(exc, ssl.SSLError):
            return "tls"
        if isinstance(exc, ConnectionRefusedError):
            return "refused"
        if isinstance(exc, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
            return "reset"
        if isinstance(exc, OSError) and exc.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH):
            return "unreachable"
    if any(isinstance(exc, TimeoutError) for exc in chain) or names & {"ReadTimeout", "ConnectTimeout"}:
        return "timeout"
    return "tls" if "SSLError" in names else "connection"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all it was made from: causes, contexts, `reason` and arguments, each once."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        exc = waiting.pop(0)
        if not isinstance(exc, BaseException) or id(exc) in seen:
            continue
        seen.add(id(exc))
        yield exc
        waiting += [getattr(exc, "reason", None), exc.__cause__, exc.__context__, *exc.args]
