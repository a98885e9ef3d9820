"""A request without records: a collector that gets them knows a silent node from a missing one."""

from __future__ import annotations

from kmsg_exporter.push.otlp import attributes, request
from kmsg_exporter.push.resource import Resource


def hello(resource: Resource, *, sequence: int, boot_id: str) -> dict[str, object]:
    """The body of a hello; `sequence` is the last number that an event got, 0 before the first."""
    return request(resource, (), scope={"attributes": attributes({"kmsg.sequence": sequence, "kmsg.boot_id": boot_id})})
