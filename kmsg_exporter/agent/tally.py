"""Calls made into totals: each is counted under the comm and exe that made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kmsg_exporter.expected import ExpectedRule
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.model import CONSOLE_CHANGES, OTHER, READS, Access, Actor, Counted
from kmsg_exporter.process.actor import Resolver
from kmsg_exporter.settle import Settlement


class Tally:
    """Counts one round after the other. `on_open` is told that somebody opened or closed one of the files."""

    def __init__(
        self,
        totals: Totals,
        resolver: Resolver,
        *,
        expected: Sequence[ExpectedRule],
        on_open: Callable[[], None],
    ) -> None:
        self._totals = totals
        self._resolver = resolver
        self._expected = tuple(expected)
        self._on_open = on_open

    def clears(self, settlement: Settlement) -> dict[Access, Actor]:
        """Name and count the clears of a round; who made each of those that took effect."""
        actors: dict[Access, Actor] = {}
        known: dict[tuple[int, bytes | None], tuple[int, Actor]] = {}
        for call in settlement.effective:
            key = (call.tid, call.comm)
            since_ns, actor = known.get(key, (0, None))
            if actor is None or self._resolver.changed(call.tid, since_ns):
                actor = self._resolver.actor(call.tid, call.time_ns, call.comm)
                known[key] = (call.time_ns, actor)
            actors[call] = actor
            self._totals.clear(
                actor.comm, actor.exe, call.action, origin=actor.origin, expected=self.is_expected(actor)
            )
        for call in settlement.denied:
            self._totals.denied(*self._name(call), call.action)
        return actors

    def others(self, calls: Sequence[Access]) -> None:
        """Count everything that is no clear."""
        for call in calls:
            if call.operation in ("open", "release"):
                self._on_open()
            if call.result is None or call.result < 0:
                continue
            if call.operation == "open":
                self._totals.open(*self._name(call), call.interface)
            elif call.operation == "write" and call.result > 0:
                self._totals.write(*self._name(call))
            elif call.action in CONSOLE_CHANGES:
                self._totals.console_change(*self._name(call), call.action)
            elif call.action in READS and call.result > 0:
                self._totals.read(*self._name(call), call.interface, call.action, nbytes=call.result)

    def counted(self, counts: Sequence[Counted]) -> None:
        """Count what the kernel has counted by itself, and the clears whose records were lost."""
        for one in counts:
            if one.operation == "call":
                self._lost_clears(one)
                continue
            if one.tid is None or one.comm is None:
                name = (OTHER, OTHER)
            else:
                name = self._resolver.name_between(one.tid, one.since_ns, one.until_ns, one.comm)
            if one.operation == "write":
                self._totals.write(*name, calls=one.calls)
            else:
                self._totals.read(*name, one.interface, one.action, calls=one.calls, nbytes=one.nbytes)

    def _lost_clears(self, one: Counted) -> None:
        actor = None if one.tid is None else self._resolver.actor_between(one.tid, one.since_ns, one.until_ns)
        if actor is None:
            self._totals.clear(OTHER, OTHER, one.action, origin=OTHER, expected=False, calls=one.calls)
        else:
            expected = self.is_expected(actor)
            self._totals.clear(
                actor.comm, actor.exe, one.action, origin=actor.origin, expected=expected, calls=one.calls
            )

    def is_expected(self, actor: Actor) -> bool:
        """Whether the operator has declared this clear as known."""
        return any(rule.matches(actor) for rule in self._expected)

    def _name(self, call: Access) -> tuple[str, str]:
        return self._resolver.name(call.tid, call.time_ns, call.comm)
