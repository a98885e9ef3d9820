"""The state backend: no tracing at all. The log's own state still tells that it was emptied, not by whom."""

from __future__ import annotations

from kmsg_exporter.model import Access, Counted, ProbeState


class StateBackend:
    """Sees no call."""

    name = "state"

    def fds(self) -> list[int]:
        return []

    def drain(self, *, bulk: bool) -> list[Access]:  # noqa: ARG002
        return []

    def counted(self) -> list[Counted]:
        return []

    def behind(self) -> bool:
        return False

    def clear_pending(self) -> bool:
        return False

    def probes(self) -> tuple[ProbeState, ...]:
        return ()

    def failures(self) -> dict[str, str]:
        return {}

    def lost_events(self) -> int:
        return 0

    def intact(self) -> bool:
        return True

    def close(self, *, keep: bool = False) -> None:
        """There is nothing to take away."""
