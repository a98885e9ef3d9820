"""The agent's read-only answers to commands on the same node, through a Unix socket.

One request a connection: a line `{"get": NAME, ...params}`, answered by a line `{"ok": ...}` or `{"error": TEXT}`.
"""

from kmsg_exporter.local.client import AgentNotReachedError, ask
from kmsg_exporter.local.server import Answer, LocalServer

__all__ = ["AgentNotReachedError", "Answer", "LocalServer", "ask"]
