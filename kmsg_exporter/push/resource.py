"""Who sends: the OTLP resource of this agent on this node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

from kmsg_exporter import __version__
from kmsg_exporter.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Resource:
    """`attributes` by OpenTelemetry's names; all values are text."""

    attributes: Mapping[str, str]

    @property
    def node(self) -> str:
        """What people call this machine: the Kubernetes node's name where there is one, else the host's."""
        return self.attributes.get("k8s.node.name") or self.attributes.get("host.name") or "this node"

    @classmethod
    def from_environ(
        cls,
        environ: Mapping[str, str],
        *,
        instance_id: str,
        host_name: str,
        host_id: str | None = None,
        node_name: str | None = None,
        cluster_name: str | None = None,
    ) -> Self:
        """`host_id` is the machine-id; what is None or empty is left out.

        OTEL_RESOURCE_ATTRIBUTES (`name=value,...`, percent-encoded) adds and overrides, OTEL_SERVICE_NAME wins over
        it. Raises ConfigError.
        """
        known = {
            "service.name": "kmsg-exporter",
            "service.version": __version__,
            "service.instance.id": instance_id,
            "host.name": host_name,
            "host.id": host_id,
            "os.type": "linux",
            "k8s.node.name": node_name,
            "k8s.cluster.name": cluster_name,
            **pairs("OTEL_RESOURCE_ATTRIBUTES", environ.get("OTEL_RESOURCE_ATTRIBUTES", "")),
        }
        known["service.instance.id"] = known["service.instance.id"] or instance_id  # it is what tells agents apart
        if environ.get("OTEL_SERVICE_NAME"):
            known["service.name"] = environ["OTEL_SERVICE_NAME"]
        return cls({name: value for name, value in known.items() if value})


def pairs(variable: str, text: str) -> dict[str, str]:
    """`name=value,name=value` with percent-encoded values, the form of OTEL_* lists.

    Raises ConfigError, which does not repeat the text: it may be a secret.
    """
    found: dict[str, str] = {}
    for number, entry in enumerate(text.split(","), start=1):
        if not entry.strip():
            continue
        name, equals, value = entry.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{variable}: entry {number} is not name=value; allowed is name=value,name=value,...")
        found[unquote(name.strip())] = unquote(value.strip())
    return found
