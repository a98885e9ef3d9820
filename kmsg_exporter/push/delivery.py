"""One POST to the collector: it has the events, or a PushError says why not. The only user of requests."""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit, urlunsplit

from kmsg_exporter import __version__
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.fault import connection_fault, http_fault
from kmsg_exporter.push.hello import hello
from kmsg_exporter.push.lean import lean_requests
from kmsg_exporter.push.otlp import Json, dump, request
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.secret import SecretFiles, Stamp, merged, stamp
from kmsg_exporter.push.wire import Wire

if TYPE_CHECKING:  # requests takes 10 MiB: an agent that sends to nobody must not carry it
    import requests

_MAX_ANSWER_BYTES: Final = 64 << 10


class Delivery:
    """Connections to one endpoint, kept between posts until `close`. For one thread, but for `cut`."""

    def __init__(self, endpoint: Endpoint, resource: Resource, *, clock: Callable[[], float] = time.time) -> None:
        self.endpoint = endpoint
        self.page: str | None = None
        """Where the pages of the collector are, if it says so: ours does, others need not have any."""
        self._resource = resource
        self._clock = clock
        self._secrets = SecretFiles(endpoint.headers_file, endpoint.bearer_token_file)
        self._wire = Wire()
        self._session: requests.Session | None = None
        self._stamps: list[Stamp | None] = []

    def prepare(self) -> None:
        """Have at hand what an exchange takes: loading it takes longer than the exchange."""
        self._connected()

    def post(self, records: Sequence[Json]) -> int:
        """Deliver LogRecords; returns how many the collector rejected for good. Raises PushError."""
        return min(_rejected(self._exchange(request(self._resource, records))), len(records))

    def hello(self, *, sequence: int, boot_id: str, unwanted: Callable[[], bool]) -> None:
        """Tell that this agent lives, unless that is `unwanted` by now; may be `cut`. Raises PushError."""
        self._exchange(hello(self._resource, sequence=sequence, boot_id=boot_id), unwanted)

    def cut(self) -> None:
        """End the hello that is under way, if one is, as if its time were over; from any thread."""
        self._wire.cut()

    def close(self) -> None:
        """Close the connections; the next post opens new ones."""
        if self._session is not None:
            self._session.close()
            self._session = None
        self._wire.close()

    def _exchange(self, content: Json, unwanted: Callable[[], bool] | None = None) -> bytes:
        """The start of the answer to one request, which is over in `timeout_seconds`, whatever the other side does.

        One that may be `unwanted` gives way.
        """
        endpoint = self.endpoint
        session = self._connected()
        import requests

        body = dump(content)
        own = {"Content-Type": "application/json", "User-Agent": f"kmsg-exporter/{__version__}"}
        if endpoint.compression == "gzip":
            body, own["Content-Encoding"] = gzip.compress(body, mtime=0), "gzip"
        headers = merged(endpoint.headers, self._secrets.headers(), own)
        key = str(endpoint.client_key) if endpoint.client_key else None
        with self._wire.exchange(endpoint.timeout_seconds, gives_way=unwanted is not None):
            try:
                if unwanted is not None and unwanted():
                    raise TimeoutError
                response = session.post(
                    endpoint.url,
                    data=body,
                    headers=headers,
                    timeout=endpoint.timeout_seconds,
                    allow_redirects=False,
                    stream=True,
                    auth=_keep_headers,
                    verify=str(endpoint.ca_file) if endpoint.ca_file else True,
                    cert=(str(endpoint.client_cert), key)
                    if endpoint.client_cert and key
                    else _text(endpoint.client_cert),
                )
                if self._wire.is_cut:  # headers that were cut off look like headers that ended
                    response.close()
                    raise TimeoutError
            except (requests.RequestException, OSError, ValueError) as exc:
                self.close()
                raise connection_fault(str(endpoint), exc, over=self._wire.is_cut) from exc
            with response:
                if 200 <= response.status_code < 300:
                    self.page = _page(endpoint.url, response)
                    return _read(response)
            self.close()  # nobody reads the rest of this answer, so its connection ends with it
            retry_after = response.headers.get("Retry-After")
            raise http_fault(str(endpoint), response.status_code, retry_after, self._clock())

    def _connected(self) -> requests.Session:
        endpoint = self.endpoint
        stamps = [_stamp(path) for path in (endpoint.ca_file, endpoint.client_cert, endpoint.client_key)]
        if stamps != self._stamps:  # a connection goes on with the certificates that it was made with
            self.close()
            self._stamps = stamps
        if self._session is None:
            logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)  # its lines repeat addresses and headers
            lean_requests()
            from kmsg_exporter.push.session import session_on

            self._session = session_on(self._wire)
        return self._session


def _read(response: requests.Response) -> bytes:
    """The start of the answer's body, as far as it comes in time: after 2xx nothing in it can undo the success."""
    import requests

    answer = bytearray()
    with suppress(requests.RequestException, OSError):
        for piece in response.iter_content(1):  # more at once would wait for a slow server until the end
            answer += piece
            if len(answer) >= _MAX_ANSWER_BYTES:
                break
    return bytes(answer)


def _page(url: str, response: requests.Response) -> str | None:
    """The target of `Link: <...>; rel="collection"`. A collector that listens everywhere calls itself localhost."""
    try:
        target = urlsplit(urljoin(url, response.links["collection"]["url"]))
        name = urlsplit(url).hostname if target.hostname == "localhost" else target.hostname
        port = "" if target.port is None else f":{target.port}"
    except (KeyError, ValueError):
        return None
    if target.scheme not in ("http", "https") or not name or not target.path.endswith("/"):
        return None
    return urlunsplit((target.scheme, f"[{name}]{port}" if ":" in name else f"{name}{port}", target.path, "", ""))


def _rejected(answer: bytes) -> int:
    """partialSuccess.rejectedLogRecords of an ExportLogsServiceResponse; 0 for anything else."""
    try:
        count = int(json.loads(answer)["partialSuccess"]["rejectedLogRecords"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return 0
    return max(count, 0)


def _keep_headers(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stands where requests would else put what it finds in ~/.netrc over our own Authorization."""
    return prepared


def _stamp(path: Path | None) -> Stamp | None:
    with suppress(OSError):
        return stamp(path) if path is not None else None
    return None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
