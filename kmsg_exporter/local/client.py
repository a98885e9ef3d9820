"""The question that a command asks the agent on its node."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

from kmsg_exporter.errors import DecodeError, KmsgExporterError, NotPermitted
from kmsg_exporter.local.line import ANSWER_BYTES, line_of, receive, send


class AgentNotReachedError(KmsgExporterError):
    """No agent answers on this node's socket."""


def ask(path: Path, get: str, *, timeout_seconds: float = 5.0, **params: Any) -> Any:
    """What the agent that listens at `path` answers.

    Raises AgentNotReachedError when none does, NotPermitted when the socket is another user's, and KmsgExporterError
    with the agent's own words when it refuses.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(timeout_seconds)
            agent.connect(str(path))
            send(agent, line_of({"get": get, **params}), deadline)
            answer = receive(agent, deadline, ANSWER_BYTES)
    except (FileNotFoundError, ConnectionRefusedError) as exc:
        raise AgentNotReachedError(
            f"no agent is running on this node: nobody listens at {path}; start it (kmsg-exporter run, or systemctl "
            "start kmsg-exporter) or name its --runtime-directory"
        ) from exc
    except PermissionError as exc:
        raise NotPermitted(f"the agent's socket {path} is for its own user only: try again as root") from exc
    except (OSError, DecodeError) as exc:
        raise AgentNotReachedError(f"the agent at {path} does not answer: {exc}; its log says more") from exc
    if "ok" not in answer:
        raise KmsgExporterError(str(answer.get("error", "the agent answered without an answer")))
    return answer["ok"]
