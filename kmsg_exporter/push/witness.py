"""What the spool last knew, kept in memory of this boot: an older copy of the spool is found out by it."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from kmsg_exporter.push.identity import Identity, RingPosition
from kmsg_exporter.push.runtime_file import put

_log = logging.getLogger(__name__)


class Witness:
    """A file in the runtime directory, which no backup holds and no clone of the machine takes along."""

    def __init__(self, path: Path, boot_id: str) -> None:
        self._path = path
        self._boot_id = boot_id
        self._written: Identity | None = None
        self._failed = False

    def correct(self, stored: Identity | None) -> Identity | None:
        """Who the agent really is, by what the spool says: the spool may be older than what was given out, or new."""
        seen = self._read()
        if seen is None:
            return stored
        if stored is None:
            return seen
        if stored.instance_id != seen.instance_id:  # of another machine: its numbers are its own, this log is not
            here = stored.position is not None and stored.position.boot_id == self._boot_id
            return stored if here else Identity(stored.instance_id, stored.sequence, seen.position)
        if seen.sequence > stored.sequence:
            _log.warning(
                "the spool is older than its agent, as if restored from a backup: its last event is %d, %d was given; "
                "it goes on from there",
                stored.sequence,
                seen.sequence,
            )
            return seen
        return stored

    def write(self, identity: Identity) -> None:
        """After the spool has it: between the two the spool knows more, which is harmless."""
        if identity == self._written:
            return
        position = identity.position
        content = {
            "boot_id": self._boot_id,
            "instance_id": identity.instance_id,
            "sequence": identity.sequence,
            "position": None if position is None else [position.boot_id, position.visible_from],
        }
        try:
            put(self._path, json.dumps(content).encode())
        except OSError as exc:
            if not self._failed:
                self._failed = True
                _log.warning(
                    "%s can't be written (%s): a spool restored from a backup would go unnoticed", self._path, exc
                )
            return
        self._failed = False
        self._written = identity

    def _read(self) -> Identity | None:
        """What was written in this boot; None when nothing was, or nothing sound."""
        try:
            content = json.loads(self._path.read_bytes())
            if content["boot_id"] != self._boot_id:
                return None
            position = None
            if content["position"] is not None:
                boot_id, visible_from = content["position"]
                position = RingPosition(str(boot_id), None if visible_from is None else int(visible_from))
            return Identity(str(content["instance_id"]), int(content["sequence"]), position)
        except (OSError, ValueError, KeyError, TypeError):
            return None
