"""One POST to the collector: it has the events, or a PushError says why not. The only user of requests."""

from __future__ import annotations

import gzip
import json
import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from kmsg_exporter import __version__
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.fault import connection_fault, http_fault
from kmsg_exporter.push.lean import lean_requests
from kmsg_exporter.push.otlp import Json, dump, request
from kmsg_exporter.push.resource import Resource

if TYPE_CHECKING:  # requests takes 10 MiB: an agent that has nothing to send must not carry it
    import requests

_MAX_ANSWER_BYTES: Final = 64 << 10


class Delivery:
    """Connections to one endpoint, kept between posts until `close`. For one thread."""

    def __init__(self, endpoint: Endpoint, resource: Resource, *, clock: Callable[[], float] = time.time) -> None:
        self._endpoint = endpoint
        self._resource = resource
        self._clock = clock
        self._session: requests.Session | None = None

    def post(self, records: Sequence[Json]) -> int:
        """Deliver LogRecords; returns how many the collector rejected for good. Raises PushError."""
        session = self._connected()
        import requests

        endpoint = self._endpoint
        body = dump(request(self._resource, records))
        headers = {**endpoint.headers, "Content-Type": "application/json", "User-Agent": f"kmsg-exporter/{__version__}"}
        if endpoint.compression == "gzip":
            body, headers["Content-Encoding"] = gzip.compress(body, mtime=0), "gzip"
        key = str(endpoint.client_key) if endpoint.client_key else None
        try:
            response = session.post(
                endpoint.url,
                data=body,
                headers=headers,
                timeout=endpoint.timeout_seconds,
                allow_redirects=False,
                stream=True,
                auth=_keep_headers,
                verify=str(endpoint.ca_file) if endpoint.ca_file else True,
                cert=(str(endpoint.client_cert), key) if endpoint.client_cert and key else _text(endpoint.client_cert),
            )
        except (requests.RequestException, OSError, ValueError) as exc:
            self.close()
            raise connection_fault(str(endpoint), exc) from exc
        with response:
            if not 200 <= response.status_code < 300:
                retry_after = response.headers.get("Retry-After")
                raise http_fault(str(endpoint), response.status_code, retry_after, self._clock())
            return min(_rejected(self._read(response)), len(records))

    def close(self) -> None:
        """Close the connections; the next post opens new ones."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _connected(self) -> requests.Session:
        if self._session is None:
            logging.getLogger("urllib3.connectionpool").addFilter(_no_debug)
            self._session = lean_requests()()
            self._session.headers["Accept-Encoding"] = "identity"
        return self._session

    def _read(self, response: requests.Response) -> bytes:
        """The start of the answer's body, as far as it comes in time: after 2xx nothing in it can undo the success."""
        import requests

        answer, deadline = bytearray(), time.monotonic() + self._endpoint.timeout_seconds
        try:
            for piece in response.iter_content(1):  # more at once would wait for a slow server as long as it likes
                answer += piece
                if len(answer) >= _MAX_ANSWER_BYTES or time.monotonic() > deadline:
                    break
        except (requests.RequestException, OSError):
            pass
        return bytes(answer)


def _no_debug(record: logging.LogRecord) -> bool:
    """The library's debug lines hold the whole address, with what may be a secret in its query."""
    return record.levelno > logging.DEBUG


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


def _text(value: object) -> str | None:
    return None if value is None else str(value)
