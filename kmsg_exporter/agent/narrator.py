"""The agent's own log: one line for each clear and each emptying."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping

from kmsg_exporter.model import Access, Actor, Emptying
from kmsg_exporter.push.sentence import sentence, who

_log = logging.getLogger("kmsg_exporter")


def narrate_clears(calls: Iterable[Access], actors: Mapping[Access, Actor]) -> None:
    """Clears that hid nothing. Many by one actor at once are one line."""
    counts = Counter((actors[call], call.action) for call in calls)
    for (actor, action), count in counts.items():
        times = f" {count} times" if count > 1 else ""
        _log.info(
            "%s cleared the kernel log%s; nothing was hidden by it",
            who(actor),
            times,
            extra={"fields": {"event": "kmsg.cleared", "action": action, "count": count, **_fields(actor)}},
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
