"""Where this node's events are to go, as the configuration and the OTEL_* environment say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from kmsg_exporter.config import Config
from kmsg_exporter.push.endpoint import Endpoint

INSIDE: Final = "the embedded collector"


def configured(config: Config, environ: Mapping[str, str]) -> Endpoint | None:
    """None when events stay on this node. Raises ConfigError."""
    endpoint = Endpoint.from_environ(environ, config.push_endpoint)
    if endpoint is None:
        return None
    return _timed(
        replace(endpoint, headers_file=config.push_headers_file, bearer_token_file=config.push_bearer_token_file),
        config,
    )


def inside(config: Config, url: str, token: str) -> Endpoint | None:
    """The collector in this process: what the environment and the files of secrets say is for another one."""
    endpoint = Endpoint.from_environ({}, f"{url}v1/logs")
    if endpoint is None:
        return None
    headers = {"Authorization": f"Bearer {token}"}
    return _timed(replace(endpoint, headers=headers, compression="none", name=INSIDE), config)


def _timed(endpoint: Endpoint, config: Config) -> Endpoint:
    seconds = config.push_timeout_seconds
    return endpoint if seconds is None else replace(endpoint, timeout_seconds=seconds)
