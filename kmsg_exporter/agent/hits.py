"""What probes counted in all their lives: the kernel begins at 0 where one is attached anew, the totals do not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from kmsg_exporter.model import ProbeState


class Hits:
    """Takes what a backend says of its probes now; gives what is to be shown. A probe once shown stays."""

    def __init__(self) -> None:
        self._last: dict[str, ProbeState] = {}
        self._before: dict[str, ProbeState] = {}

    def go_on(self, probes: Iterable[ProbeState]) -> tuple[ProbeState, ...]:
        """`probes` with the hits and misses of their earlier lives."""
        now = {probe.name: probe for probe in probes}
        for name, last in self._last.items():
            probe = now.setdefault(name, ProbeState(name, attached=False))
            if probe.hits < last.hits or probe.missed < last.missed:
                self._before[name] = _sum(self._before.get(name), last)
        self._last = now
        return tuple(_sum(self._before.get(name), probe) for name, probe in now.items())


def _sum(before: ProbeState | None, probe: ProbeState) -> ProbeState:
    if before is None:
        return probe
    return replace(probe, hits=before.hits + probe.hits, missed=before.missed + probe.missed)
