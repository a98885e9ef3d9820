"""Whether this node's events arrive: where they go, whether somebody takes them there, what waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kmsg_exporter.agent import destination
from kmsg_exporter.agent.agent import SOCKET_NAME
from kmsg_exporter.commands.check import Check
from kmsg_exporter.config import Config
from kmsg_exporter.errors import ConfigError, KmsgExporterError, NotPermitted, PushError
from kmsg_exporter.local import ask
from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.resource import Resource

_NAME = "push"
_NOWHERE = Check(
    _NAME,
    "note",
    "no collector is named: events stay on this node",
    "name one with --push.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT",
)
_UNSEEN = Check(_NAME, "note", "whether an agent sends events can't be seen as this user", "try again as root")


def checks(config: Config, environ: Mapping[str, str]) -> list[Check]:
    """What the running agent knows; without one, a request without events is sent where they would go."""
    try:
        status = ask(config.runtime_directory / SOCKET_NAME, "status")
    except KmsgExporterError as exc:
        tried = _tried(config, environ)
        return [_UNSEEN if tried is _NOWHERE and isinstance(exc, NotPermitted) else tried]
    return _of_running(status)


def _tried(config: Config, environ: Mapping[str, str]) -> Check:
    if config.collector_embedded and config.push_endpoint is None:
        return Check(_NAME, "ok", "events go to the collector in the agent's own process")
    try:
        endpoint = destination.configured(config, environ)
    except ConfigError as exc:
        return Check(_NAME, "missing", str(exc))
    if endpoint is None:
        return _NOWHERE
    delivery = Delivery(endpoint, Resource({}))
    try:
        delivery.post([])
    except PushError as exc:
        return Check(_NAME, "missing", str(exc))
    finally:
        delivery.close()
    return Check(_NAME, "ok", f"the collector at {endpoint} answers")


def _of_running(status: Mapping[str, Any]) -> list[Check]:
    push = status["push"]
    found = []
    if push is None:
        found.append(_NOWHERE)
    elif status["push_failing"]:
        failing = ", ".join(status["push_failing"])
        waiting = f"{push['queue_events']} events wait, {_when(push['last_success_timestamp_seconds'])}"
        found.append(
            Check(_NAME, "missing", f"to {status['push_to']} fails: {failing}; {waiting}", "the agent's log says why")
        )
    else:
        success = _when(push["last_success_timestamp_seconds"])
        found.append(Check(_NAME, "ok", f"to {status['push_to']}; {push['queue_events']} events wait, {success}"))
    dropped = {reason: count for reason, count in (push or {}).get("dropped_total", {}).items() if count}
    if dropped:
        counts = ", ".join(f"{count} by {reason}" for reason, count in sorted(dropped.items()))
        found.append(Check("events lost", "note", f"since the agent began: {counts}", "the agent's log says why"))
    if status["spool_durable"] is False:
        found.append(
            Check(
                "spool",
                "missing",
                "events are kept in memory and would be lost with the agent",
                f"make room in {status['state_directory']}, or make it writable",
            )
        )
    return found


def _when(unix_seconds: float | None) -> str:
    if unix_seconds is None:
        return "none was taken yet"
    return f"the last was taken {datetime.fromtimestamp(int(unix_seconds), UTC):%Y-%m-%dT%H:%M:%SZ}"
