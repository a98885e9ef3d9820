"""Who the agent is and how far it has come: what must never be given out twice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RingPosition:
    """Where the log stood: the sequence number of the first visible record, in which boot.

    None where an emptying was told by an agent that saw no numbers: what came before is told, and nobody knows where
    it ends.
    """

    boot_id: str
    visible_from: int | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the agent is: a UUID made once for each state directory, the last number given, where the log stood."""

    instance_id: str
    sequence: int = 0
    position: RingPosition | None = None
