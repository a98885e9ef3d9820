"""What is served where: a request that has been read in full becomes an answer."""

from __future__ import annotations

import gzip
import re
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from kmsg_exporter.metrics.page import Node, render_page, security_headers
from kmsg_exporter.metrics.textformat import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

    from kmsg_exporter.metrics.exposition import Exposition
    from kmsg_exporter.metrics.scrapers import Scrapers
    from kmsg_exporter.model import Observation
    from kmsg_exporter.webconfig import Guard

SCRAPE_HEADER: Final = "X-Prometheus-Scrape-Timeout-Seconds"
_PLAIN: Final = "text/plain; charset=utf-8"
_HOST: Final = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_OPEN: Final = ("/-/healthy", "/-/ready")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `path` is without its query, `connection` is a number that no later connection gets again."""

    method: str
    path: str
    headers: Message[str, str]
    connection: int
    address: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`mark` is set when this shows a scraper something for the first time: see Scrapers.missed."""

    status: int
    body: bytes
    content_type: str = _PLAIN
    headers: tuple[tuple[str, str], ...] = ()
    mark: int | None = None


class Site:
    """The routes. `observe` gives the latest observation; `refresh` runs before each exposition."""

    def __init__(
        self,
        exposition: Exposition,
        scrapers: Scrapers,
        observe: Callable[[], Observation],
        *,
        node: Callable[[], Node] = Node,
        refresh: Callable[[], None],
        version: str,
        telemetry_path: str,
        max_requests: int,
        guard: Guard | None = None,
    ) -> None:
        """`max_requests` expositions are made at once, more get 503; 0 is no limit. `node`: what only the page shows.

        `guard` judges a request by its Authorization header. What only says whether the agent lives needs none: a
        kubelet has no password.
        """
        self._guard = guard
        self._exposition = exposition
        self._scrapers = scrapers
        self._observe = observe
        self._node = node
        self._refresh = refresh
        self._version = version
        self._telemetry_path = telemetry_path
        self._max_requests = max_requests
        self._slots = threading.BoundedSemaphore(max_requests) if max_requests else None
        self._routes: dict[str, Callable[[Request], Answer]] = {
            "/": self._page,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
            telemetry_path: self._metrics,
        }

    def answer(self, request: Request) -> Answer:
        """The answer to one request; a HEAD's has a body too, for its length."""
        route = self._routes.get(request.path)
        if route is None:
            return Answer(404, f"Not found. Metrics are at {self._telemetry_path}\n".encode())
        if request.method not in ("GET", "HEAD"):
            return Answer(405, b"Method not allowed: GET and HEAD are.\n", headers=(("Allow", "GET, HEAD"),))
        guard = None if request.path in _OPEN else self._guard
        if guard is not None and not guard.allow(request.headers["Authorization"]):
            asked = tuple(("WWW-Authenticate", challenge) for challenge in guard.challenges())
            return Answer(401, b"A name and its password, or a token, are needed.\n", headers=asked)
        return route(request)

    def missed(self, connection: int, answer: Answer) -> None:
        """The answer did not reach whoever asked for it."""
        if answer.mark is not None:
            self._scrapers.missed(connection, answer.mark)

    def closed(self, connection: int) -> None:
        """The connection is no more."""
        self._scrapers.closed(connection)

    def _metrics(self, request: Request) -> Answer:
        if self._slots is not None and not self._slots.acquire(blocking=False):
            return Answer(503, f"{self._max_requests} scrapes are being answered, as many as allowed.\n".encode())
        try:
            return self._exposed(request)
        finally:
            if self._slots is not None:
                self._slots.release()

    def _exposed(self, request: Request) -> Answer:
        self._refresh()
        view = self._exposition.view(self._observe())
        mark = None
        if request.method == "GET" and SCRAPE_HEADER in request.headers:
            mark = self._scrapers.meet(request.connection, request.address, view.births)
        body = self._exposition.render(view, mark=mark)
        vary = ("Vary", "Accept-Encoding")
        if not _takes_gzip(request.headers.get("Accept-Encoding", "")):
            return Answer(200, body, CONTENT_TYPE, (vary,), mark)
        packed = gzip.compress(body, compresslevel=1, mtime=0)
        return Answer(200, packed, CONTENT_TYPE, (vary, ("Content-Encoding", "gzip")), mark)

    def _page(self, request: Request) -> Answer:
        self._refresh()
        node = self._node()
        body = render_page(
            self._observe(),
            self._exposition.totals(),
            replace(node, collector=_seen_from(node.collector, request.headers.get("Host", ""))),
            now=time.time(),
            version=self._version,
            telemetry_path=self._telemetry_path,
        )
        return Answer(200, body, "text/html; charset=utf-8", security_headers())

    def _healthy(self, _: Request) -> Answer:
        return Answer(200, b"healthy\n")

    def _ready(self, _: Request) -> Answer:
        observation = self._observe()
        if observation.ready:
            return Answer(200, b"ready\n")
        missing = ", ".join(probe.name for probe in observation.probes if not probe.attached)
        reason = f"not attached: {missing}" if missing else f"the {observation.backend} backend is not in place"
        return Answer(503, f"not ready: {reason}\n".encode("utf-8", "replace"))


def _seen_from(url: str | None, host: str) -> str | None:
    """Where a collector that listens everywhere on this node is for whoever calls the node by the name `host`."""
    name = _HOST.fullmatch(host)
    if url is None or name is None:
        return url
    return re.sub(r"^(https?://)localhost(?=[:/])", rf"\g<1>{name[1]}", url)


def _takes_gzip(accept_encoding: str) -> bool:
    for offer in accept_encoding.lower().split(","):
        coding, _, parameters = offer.partition(";")
        if coding.strip() == "gzip":
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
