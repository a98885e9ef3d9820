"""The agent's own log: one line for each clear and each emptying."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from kmsg_exporter.model import Access, Actor, Emptying
from kmsg_exporter.push.sentence import sentence, who

_log = logging.getLogger("kmsg_exporter")

_MOST_LINES: Final = 10  # at once: whoever calls himself a new name for each clear writes no log of ours full


def narrate_clears(calls: Iterable[Access], actors: Mapping[Access, Actor]) -> None:
    """Clears that hid nothing. Many by one actor at once are one line, and so are those by very many actors."""
    counts = list(Counter((actors[call], call.action) for call in calls).items())
    for (actor, action), count in counts[:_MOST_LINES]:
        times = f" {count} times" if count > 1 else ""
        _log.info(
            "%s cleared the kernel log%s; nothing was hidden by it",
            who(actor),
            times,
            extra={"fields": {"event": "kmsg.cleared", "action": action, "count": count, **_fields(actor)}},
        )
    others = counts[_MOST_LINES:]
    if others:
        count = sum(count for _, count in others)
        _log.info(
            "%d others cleared the kernel log %d times; nothing was hidden by it",
            len(others),
            count,
            extra={"fields": {"event": "kmsg.cleared", "count": count}},
        )


def narrate_denied(calls: Iterable[tuple[str, str, str]]) -> None:
    """Clears that the kernel refused, as (comm, exe, action)."""
    for (comm, exe, action), count in Counter(calls).items():
        _log.warning(
            "%s (%s) was refused when it tried to clear the kernel log",
            comm,
            exe or "executable not known",
            extra={
                "fields": {"event": "kmsg.clear_denied", "comm": comm, "exe": exe, "action": action, "count": count}
            },
        )


def narrate_emptying(emptying: Emptying, *, node: str, uid: str, sequence: int) -> None:
    """An emptying: the sentence of its event."""
    fields: dict[str, object] = {"event": "kmsg.emptied", "uid": uid, "sequence": sequence, "action": emptying.action}
    if emptying.actor is not None:
        fields |= _fields(emptying.actor)
    fields["hidden"] = emptying.hidden.records
    _log.warning("%s", sentence(emptying, node), extra={"fields": fields})


def _fields(actor: Actor) -> dict[str, object]:
    return {
        "comm": actor.comm,
        "exe": actor.exe,
        "pid": actor.pid,
        "origin": actor.origin,
        "container": actor.container_id,
        "source": actor.source,
    }
