"""What a collector or the way to it may do, and what the agent does then: the table and the tests are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import fault_server as server
from fault_server import Act

Tls = Literal["unknown", "expired", "other name", "mutual"]


@dataclass(frozen=True)
class Again:
    """When it is tried again: in words, and the longest first wait that the spread allows (None: there is none)."""

    words: str
    longest_seconds: float | None


@dataclass(frozen=True)
class Case:
    """One row. `log` stands in the agent's log, once; `failures` is the number of requests that fail with `reason`
    before the first wait. `among_hellos`: these go on, as nothing but the events is waited for."""

    does: str
    act: Act
    reason: str
    again: Again
    events: str
    log: str
    failures: int = 1
    sent: tuple[int, ...] = (1, 2)
    url: str = "http://127.0.0.1:{port}/v1/logs"
    tls: Tls | None = None
    own_network: bool = False
    among_hellos: bool = False


NOT: Final = Again("-", None)
SOON: Final = Again("within 12 s, then 12 to 24, 24 to 48, 30 to 60 s", 12.0)
ASKED: Final = Again("after Retry-After (5 min at most) and up to 12 s, later up to 60 s more", 32.0)
SLOW: Final = Again("after 150 to 300 s", 300.0)
HALF: Final = Again("at once, with half of the events", None)
ALONE: Final = Again("at once, alone; then after 12 to 24 s, in the end every 150 to 300 s", 24.0)
HALF_SOON: Final = Again("within 12 s, with half of the events, then as above", 12.0)

SENT: Final = "sent"
WAIT: Final = "wait, none is given up"
PASSED: Final = (
    "those beside it are sent; alone it is tried again after 15 to 30 s, and set aside when it was refused alone three "
    "times and another was taken after each"
)

_CREDENTIALS: Final = "OTEL_EXPORTER_OTLP_HEADERS, --push.headers-file or --push.bearer-token-file"
_LOOK: Final = "its log says why"

CASES: Final = (
    Case("200", server.accepts, "", NOT, SENT, "the collector at {url} can be reached", failures=0),
    Case(
        "200, one of two rejected by `partialSuccess`",
        server.rejects_the_first,
        "",
        NOT,
        "all count as done, the rejected in `..._push_rejected_total`",
        "the collector rejected 1 of 2 events for good: its log says why",
        failures=0,
    ),
    Case(
        "200, then a body of one byte a second",
        server.drips(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
        "",
        NOT,
        SENT,
        "the collector at {url} can be reached",
        failures=0,
    ),
    Case(
        "200, then 10 GiB",
        server.sends_10_gib(200),
        "",
        NOT,
        f"{SENT}; 64 KiB are read",
        "the collector at {url} can be reached",
        failures=0,
    ),
    Case(
        "400 for one event",
        server.refuses_event_1(400),
        "http_400",
        HALF,
        PASSED,
        "HTTP status 400; the collector does not accept what it got: its log says why",
        failures=2,
        sent=(2,),
    ),
    Case(
        "422 for one event",
        server.refuses_event_1(422),
        "http_422",
        HALF,
        PASSED,
        "HTTP status 422; the collector does not accept what it got: its log says why",
        failures=2,
        sent=(2,),
    ),
    Case(
        "400 for every event, 200 for a hello",
        server.refuses_events(400),
        "http_400",
        ALONE,
        WAIT,
        "HTTP status 400; the collector does not accept what it got: its log says why",
        failures=3,
        among_hellos=True,
    ),
    Case(
        "413 for a request that is too large",
        server.takes_one_at_a_time,
        "http_413",
        HALF,
        SENT,
        "HTTP status 413; too large for the collector: raise its limit on request bodies",
    ),
    Case(
        "413 for one event",
        server.refuses_event_1(413),
        "http_413",
        HALF,
        PASSED,
        "HTTP status 413; too large for the collector: raise its limit on request bodies",
        failures=2,
        sent=(2,),
    ),
    Case(
        "401", server.answers(401), "http_401", SLOW, WAIT, f"HTTP status 401; check the credentials in {_CREDENTIALS}"
    ),
    Case(
        "403",
        server.answers(403),
        "http_403",
        SLOW,
        WAIT,
        f"HTTP status 403; check the credentials in {_CREDENTIALS} and what they allow",
    ),
    Case(
        "404",
        server.answers(404),
        "http_404",
        SLOW,
        WAIT,
        "HTTP status 404; nothing there: OTLP/HTTP logs go to .../v1/logs as a rule",
    ),
    Case("429", server.answers(429), "http_429", SOON, WAIT, "HTTP status 429; see the collector's log"),
    Case(
        "429 with Retry-After: 20",
        server.answers(429, Retry_After="20"),
        "http_429",
        ASKED,
        WAIT,
        "HTTP status 429; see the collector's log",
    ),
    Case(
        "429 with Retry-After: a date",
        server.asks_to_come_in_20_seconds,
        "http_429",
        ASKED,
        WAIT,
        "HTTP status 429; see the collector's log",
    ),
    Case(
        "503 with Retry-After: 20",
        server.answers(503, Retry_After="20"),
        "http_503",
        ASKED,
        WAIT,
        "HTTP status 503; see the collector's log",
    ),
    Case("408", server.answers(408), "http_408", SOON, WAIT, "HTTP status 408; see the collector's log"),
    Case("502", server.answers(502), "http_502", SOON, WAIT, "HTTP status 502; see the collector's log"),
    Case("504", server.answers(504), "http_504", SOON, WAIT, "HTTP status 504; see the collector's log"),
    Case(
        "500",
        server.answers(500),
        "http_500",
        HALF_SOON,
        WAIT,
        f"HTTP status 500; the collector failed: {_LOOK}",
    ),
    Case(
        "307 to somewhere else",
        server.redirects,
        "http_307",
        SLOW,
        f"{WAIT}; the other address never hears of them",
        "HTTP status 307; redirects are not followed: configure the address it points to",
    ),
    Case(
        "401, then 10 GiB",
        server.sends_10_gib(401),
        "http_401",
        SLOW,
        WAIT,
        f"HTTP status 401; check the credentials in {_CREDENTIALS}",
    ),
    Case(
        "nobody listens",
        server.accepts,
        "refused",
        SOON,
        WAIT,
        "refused; nothing listens there: is the collector running, is the port right?",
        url="http://127.0.0.1:1/v1/logs",
    ),
    Case(
        "cuts the connection",
        server.resets,
        "reset",
        SOON,
        WAIT,
        "reset; the connection was cut: is this the collector's OTLP/HTTP port, http or https?",
    ),
    Case(
        "takes the request and never answers",
        server.never_answers,
        "timeout",
        SOON,
        WAIT,
        "timeout; no answer in time: is the collector overloaded, does a firewall drop the packets?",
    ),
    Case(
        "answers one byte a second",
        server.drips(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        "timeout",
        SOON,
        f"{WAIT}; the attempt ends when its time is over",
        "timeout; no answer in time: is the collector overloaded, does a firewall drop the packets?",
    ),
    Case(
        "says 100 Continue for ever",
        server.goes_on_for_ever,
        "timeout",
        SOON,
        WAIT,
        "timeout; no answer in time: is the collector overloaded, does a firewall drop the packets?",
    ),
    Case(
        "the network is cut in the middle of it",
        server.cuts_the_network,
        "timeout",
        SOON,
        WAIT,
        "timeout; no answer in time: is the collector overloaded, does a firewall drop the packets?",
        own_network=True,
    ),
    Case(
        "answers garbage",
        server.babbles,
        "connection",
        SOON,
        WAIT,
        "connection; the exchange failed: is this an OTLP/HTTP port, can the certificate files be read?",
    ),
    Case(
        "its name does not resolve",
        server.accepts,
        "dns",
        SOON,
        WAIT,
        "dns; the name does not resolve: check the address and this node's DNS",
        url="http://collector.invalid/v1/logs",
        own_network=True,
    ),
    Case(
        "there is no route to it",
        server.accepts,
        "unreachable",
        SOON,
        WAIT,
        "unreachable; no route: check the network and its policies",
        url="http://192.0.2.1/v1/logs",
        own_network=True,
    ),
    Case(
        "its certificate is signed by nobody known",
        server.accepts,
        "tls",
        SLOW,
        WAIT,
        "tls; its certificate is signed by nobody known here: name the CA's file in OTEL_EXPORTER_OTLP_CERTIFICATE",
        url="https://127.0.0.1:{port}/v1/logs",
        tls="unknown",
    ),
    Case(
        "its certificate has expired",
        server.accepts,
        "tls",
        SLOW,
        WAIT,
        "tls; its certificate has expired, or this node's clock is wrong: renew it",
        url="https://127.0.0.1:{port}/v1/logs",
        tls="expired",
    ),
    Case(
        "its certificate is for another name",
        server.accepts,
        "tls",
        SLOW,
        WAIT,
        "tls; its certificate is for another address: use the name that it was made for",
        url="https://127.0.0.1:{port}/v1/logs",
        tls="other name",
    ),
    Case(
        "wants a client certificate that the agent has not",
        server.accepts,
        "tls",
        SOON,
        WAIT,
        "tls; it ends the connection: does it want a client certificate? "
        "Name one in OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE, _KEY",
        url="https://127.0.0.1:{port}/v1/logs",
        tls="mutual",
    ),
)
