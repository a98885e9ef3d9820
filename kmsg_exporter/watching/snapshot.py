"""One moment of the log and its users, as an agent tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.model import Reader, RingState


class Key(NamedTuple):
    """What was done (a family of `agent.snapshot`), by whom, and the labels that tell more, e.g. ("syslog", "read")."""

    what: str
    comm: str
    exe: str
    more: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`life` is who counts: the numbers of another life began at 0. `taken_ns` is on its boot clock.

    `readers` is None where they can't be seen or are not known yet, `backend` "" where nothing is traced.
    """

    life: str
    taken_ns: int
    ring: RingState
    backend: str = ""
    ready: bool = True
    pid: int | None = None
    unseen: tuple[str, ...] = ()
    readers: tuple[Reader, ...] | None = None
    counts: Mapping[Key, int] = field(default_factory=dict)
    left_out: int = 0
    emptied: int = 0
    last_emptied_unix: float | None = None
    unattributed: int = 0
    lost_events: int = 0
    last_sequence: int = 0


def decode(answer: Any) -> Snapshot:
    """An agent's answer to "snapshot". Raises DecodeError: another version may answer in other words."""
    try:
        return Snapshot(
            life=f"{answer['pid']} {answer['started_ns']}",
            taken_ns=int(answer["taken_ns"]),
            ring=RingState(**answer["ring"]),
            backend=str(answer["backend"]),
            ready=bool(answer["ready"]),
            pid=int(answer["pid"]),
            unseen=tuple(map(str, answer["unseen"])),
            readers=_readers(answer["readers"]),
            counts=_counts(answer["names"], answer["counts"]),
            left_out=int(answer["left_out"]),
            emptied=int(answer["emptied"]),
            last_emptied_unix=answer["last_emptied_unix"],
            unattributed=int(answer["unattributed"]),
            lost_events=int(answer["lost_events"]),
            last_sequence=int(answer["last_sequence"]),
        )
    except (TypeError, KeyError, ValueError, IndexError, AttributeError) as exc:
        raise DecodeError(
            f"the agent's answer is not understood ({exc!r}): it is of another version than this command; "
            "use the agent's own kmsg-exporter, or restart the agent after an upgrade"
        ) from exc


def _readers(rows: Any) -> tuple[Reader, ...] | None:
    if rows is None:
        return None
    return tuple(Reader(int(pid), str(comm), str(exe), interface) for pid, comm, exe, interface in rows)


def _counts(names: Any, families: Any) -> Mapping[Key, int]:
    found: dict[Key, int] = {}
    for what, rows in families.items():
        for place, *more, value in rows:
            comm, exe = names[place]
            key = Key(str(what), str(comm), str(exe), tuple(map(str, more)))
            found[key] = found.get(key, 0) + int(value)
    return found
