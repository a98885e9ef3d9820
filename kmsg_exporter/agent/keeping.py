"""Where emptyings are kept: in the spool as events, and until they are there in a draft."""

from __future__ import annotations

import logging
import pwd
import time
from collections.abc import Callable

from kmsg_exporter.agent.narrator import narrate_emptying
from kmsg_exporter.agent.teller import Told
from kmsg_exporter.model import Emptying
from kmsg_exporter.push.draft import Draft
from kmsg_exporter.push.identity import RingPosition
from kmsg_exporter.push.otlp import log_record, renumbered
from kmsg_exporter.push.spool import Spool

_log = logging.getLogger("kmsg_exporter")


class Keeper:
    """For a Teller's thread. `on_stored` is told after each event that was stored."""

    def __init__(
        self, spool: Spool, draft: Draft, *, node: str, boot_id: str, on_stored: Callable[[], None] = lambda: None
    ) -> None:
        self._spool = spool
        self._draft = draft
        self._node = node
        self._boot_id = boot_id
        self._on_stored = on_stored

    def store(self, told: Told) -> bool:
        """Store one event, and tell the log of it. Whether it is on disk. Raises SpoolError."""
        emptying, position = told.emptying, RingPosition(self._boot_id, told.visible_from)
        stored = self._spool.append(lambda uid, sequence: self._record(emptying, uid, sequence), position=position)
        self._on_stored()
        narrate_emptying(emptying, node=self._node, uid=stored.uid, sequence=stored.sequence)
        return self._spool.durable

    def draft(self, told: Told) -> bool:
        """Keep what is to be stored next. Whether that went. Raises SpoolError."""
        follows = self._spool.last_sequence
        return self._draft.write(self._record(told.emptying, "", 0), follows=follows, visible_from=told.visible_from)

    def _record(self, emptying: Emptying, uid: str, sequence: int) -> dict[str, object]:
        return log_record(
            emptying,
            node=self._node,
            boot_id=self._boot_id,
            uid=uid,
            sequence=sequence,
            observed_unix_ns=time.time_ns(),
            owner=_owner(emptying),
        )


def store_left(spool: Spool, draft: Draft) -> None:
    """Store the event that an agent which was killed had drafted and not stored."""
    left = draft.left(spool.last_sequence)
    if left is not None:
        stored = spool.append(
            lambda uid, sequence: renumbered(left.record, uid=uid, sequence=sequence), position=left.position
        )
        _log.warning(
            "an emptying that the agent before this one saw and had no time to store is event %d now", stored.sequence
        )


def _owner(emptying: Emptying) -> str | None:
    """The user name behind the actor's user id, where this node knows it."""
    if emptying.actor is None or emptying.actor.user_id is None:
        return None
    try:
        return pwd.getpwuid(emptying.actor.user_id).pw_name
    except KeyError:
        return None
