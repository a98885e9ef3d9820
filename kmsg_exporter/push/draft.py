"""The event that is to be stored next, in the runtime directory: an agent that is killed meanwhile has not lost it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kmsg_exporter.push.identity import RingPosition
from kmsg_exporter.push.otlp import dump
from kmsg_exporter.push.runtime_file import put

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Left:
    """What an earlier life had seen and not stored: an OTLP LogRecord, and the ring position that it explains."""

    record: Mapping[str, object]
    position: RingPosition


class Draft:
    """One event in a file. Once it is stored the spool has given out a later number: nobody has to remove it."""

    def __init__(self, path: Path, boot_id: str) -> None:
        self._path = path
        self._boot_id = boot_id
        self._failed = False

    def write(self, record: Mapping[str, object], *, follows: int, visible_from: int | None) -> bool:
        """Keep what is to be stored next after number `follows`. Whether that went; the log says once why not."""
        content = {"boot_id": self._boot_id, "follows": follows, "visible_from": visible_from, "record": record}
        try:
            put(self._path, dump(content))
        except OSError as exc:
            if not self._failed:
                self._failed = True
                _log.warning(
                    "%s can't be written (%s): who emptied dmesg would not be known any more if this agent was killed "
                    "in the second in which emptyings are gathered",
                    self._path,
                    exc,
                )
            return False
        self._failed = False
        return True

    def left(self, last_sequence: int) -> Left | None:
        """What was written in this boot and not stored, where the spool's last number is `last_sequence`."""
        try:
            content = json.loads(self._path.read_bytes())
            if (content["boot_id"], content["follows"]) != (self._boot_id, last_sequence):
                return None
            visible_from = content["visible_from"]
            position = RingPosition(self._boot_id, None if visible_from is None else int(visible_from))
            return Left(dict(content["record"]), position)
        except (OSError, ValueError, KeyError, TypeError):
            return None
