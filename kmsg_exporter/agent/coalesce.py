"""Two emptyings in one event: who did each of them is kept, and what both hid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from kmsg_exporter.model import LEVELS, Emptying, Hidden
from kmsg_exporter.push.sample import pick

MAX_ACTORS: Final = 64


def coalesce(earlier: Emptying, later: Emptying, *, sample: int) -> Emptying:
    """One event for both, at the moment of the later, told of the earlier one's actor; `sample` records are kept."""
    named = earlier if earlier.actor is not None else later
    since = [one.since_unix_ns for one in (earlier, later) if one.since_unix_ns is not None]
    return replace(
        later,
        hidden=_both(earlier.hidden, later.hidden, sample),
        action=named.action,
        interface=named.interface,
        actor=named.actor,
        expected=earlier.expected and later.expected,
        since_unix_ns=min(since) if since and named.actor is None else None,
        coalesced=earlier.coalesced + later.coalesced,
        actors=tuple(dict.fromkeys((*_actors(earlier), *_actors(later))))[:MAX_ACTORS],
    )


def _actors(emptying: Emptying) -> tuple[str, ...]:
    if emptying.actors:
        return emptying.actors
    actor = emptying.actor
    return ("unknown",) if actor is None else (f"{actor.pid} {actor.comm} {actor.exe}",)


def _both(earlier: Hidden, later: Hidden, limit: int) -> Hidden:
    """The sum; the number of records is known if it is of both."""
    sample = (*earlier.sample, *later.sample)
    room = iter(range(limit))
    kept = sample if len(sample) <= limit else pick(sample, lambda _: next(room, None) is not None)
    levels = Counter(earlier.by_level) + Counter(later.by_level)
    return Hidden(
        records=None if earlier.records is None or later.records is None else earlier.records + later.records,
        first_seq=later.first_seq if earlier.first_seq is None else earlier.first_seq,
        last_seq=earlier.last_seq if later.last_seq is None else later.last_seq,
        by_level=_in_order(levels),
        sample=kept,
        sample_omitted=earlier.sample_omitted + later.sample_omitted + len(sample) - len(kept),
    )


def _in_order(levels: Mapping[str, int]) -> Mapping[str, int]:
    return {level: levels[level] for level in LEVELS if levels.get(level)}
