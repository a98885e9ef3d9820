"""What the OTEL_* variables and an answer's Retry-After say: addresses and numbers, or a typed error."""

from __future__ import annotations

from contextlib import suppress

import frames
from target import Target

from kmsg_exporter.errors import ConfigError
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.fault import MAX_RETRY_AFTER_SECONDS, retry_after_seconds
from kmsg_exporter.push.resource import Resource

_NAMES = ("ENDPOINT", "HEADERS", "TIMEOUT", "COMPRESSION", "PROTOCOL")
_SECRET = "hunter2"  # noqa: S105


def one(data: bytes) -> None:
    texts = [piece.decode("utf-8", "replace").replace("\0", "") for piece in frames.split(data)]
    environ = {f"OTEL_EXPORTER_OTLP_{name}": text for name, text in zip(_NAMES, texts, strict=False)}
    environ["OTEL_EXPORTER_OTLP_HEADERS"] = f"authorization={_SECRET}," + environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    try:
        endpoint = Endpoint.from_environ(environ)
    except ConfigError as exc:
        shown = str(exc)
    else:
        shown = repr(endpoint) + str(endpoint)
        assert endpoint is None or endpoint.timeout_seconds > 0
    assert _SECRET not in shown or _SECRET in "".join(texts)
    for text in texts:
        with suppress(ConfigError):
            resource = Resource.from_environ({"OTEL_RESOURCE_ATTRIBUTES": text}, instance_id="i", host_name="h")
            assert resource.node
            assert all(resource.attributes.values())
        seconds = retry_after_seconds(text, 1e9)
        assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_SECONDS


TARGET = Target(
    one,
    seeds=(
        frames.join((b"http://c:4318/x", b"a=b%20c,d=e", b"1500", b"none", b"http/json")),
        frames.join((b"https://u:hunter2@[::1]:1/?q#f", b"Wed, 21 Oct 2026 07:28:00 GMT", b"12")),
    ),
    words=(b"http://", b"[::1]", b"%", b"=", b",", b"@", b"GMT", b"+0000", b"9999", b"99999999999999999999"),
    mutate=frames.mutator(frames.changed),
)
