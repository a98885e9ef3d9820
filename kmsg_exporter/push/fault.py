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
REASONS: Final = (
    *("refused", "timeout", "dns", "tls", "reset", "unreachable", "proxy", "connection", "secret", "http_other"),
)
MAX_RETRY_AFTER_SECONDS: Final = 300.0

_RETRIABLE: Final = frozenset({408, 429, 500, 502, 503, 504})
_SUSPICIOUS: Final = frozenset({400, 413, 422, 500})  # may be for one event among many
REFUSALS: Final = frozenset(f"http_{status}" for status in _SUSPICIOUS)
_CREDENTIALS: Final = "OTEL_EXPORTER_OTLP_HEADERS, --push.headers-file or --push.bearer-token-file"
_REMEDIES: Final = {
    "refused": "nothing listens there: is the collector running, is the port right?",
    "timeout": "no answer in time: is the collector overloaded, does a firewall drop the packets?",
    "dns": "the name does not resolve: check the address and this node's DNS",
    "tls": "no TLS connection: check the files OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY name",
    "reset": "the connection was cut: is this the collector's OTLP/HTTP port, http or https?",
    "unreachable": "no route: check the network and its policies",
    "proxy": "the proxy refused, or is no HTTP proxy: check HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY",
    "connection": "the exchange failed: is this an OTLP/HTTP port, can the certificate files be read?",
    "http_400": "the collector does not accept what it got: its log says why",
    "http_401": f"check the credentials in {_CREDENTIALS}",
    "http_403": f"check the credentials in {_CREDENTIALS} and what they allow",
    "http_404": "nothing there: OTLP/HTTP logs go to .../v1/logs as a rule",
    "http_413": "too large for the collector: raise its limit on request bodies",
    "http_422": "the collector does not accept what it got: its log says why",
    "http_500": "the collector failed: its log says why",
}
# OpenSSL's X509_V_ERR_*, and the alert of a server that wants to see a certificate
_CERTIFICATES: Final = {
    10: "has expired, or this node's clock is wrong: renew it",
    9: "is not valid yet: is this node's clock right?",
    62: "is for another name: use the name that it was made for",
    64: "is for another address: use the name that it was made for",
}
_UNKNOWN: Final = "is signed by nobody known here: name the CA's file in OTEL_EXPORTER_OTLP_CERTIFICATE"
_WANTED: Final = frozenset({"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE"})
_MUTUAL: Final = (
    "it ends the connection: does it want a client certificate? Name one in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, _KEY"
)
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
        suspicious=status in _SUSPICIOUS,
    )


def connection_fault(endpoint: str, error: Exception, *, over: bool = False) -> PushError:
    """No answer; `over`: its time was over. Says nothing of the error's own text, which may repeat an address with a
    secret in it.
    """
    reason = "timeout" if over else _reason(error)
    remedy, lasting = (None, False) if over else _certificate(error)
    return PushError(
        f"cannot push to {endpoint}: {reason}; {remedy or _REMEDIES[reason]}", reason=reason, retriable=not lasting
    )


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


def _certificate(error: Exception) -> tuple[str | None, bool]:
    """What is wrong with a certificate, in words, and whether it stays wrong until somebody changes it."""
    for exc in _chain(error):
        if isinstance(exc, ssl.SSLCertVerificationError):
            return f"its certificate {_CERTIFICATES.get(exc.verify_code, _UNKNOWN)}", True
        # TLS 1.3 refuses a client after its handshake: whether its alert or its end comes first is chance
        if isinstance(exc, ssl.SSLEOFError) or (isinstance(exc, ssl.SSLError) and exc.reason in _WANTED):
            return _MUTUAL, False
    return None, False


def _reason(error: Exception) -> str:
    chain = list(_chain(error))
    names = {type(exc).__name__ for exc in chain}  # of requests and urllib3, which are not imported here
    if names & {"ProxyError", "InvalidProxyURL"}:
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
