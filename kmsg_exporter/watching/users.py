"""Two snapshots made into users of the log: what each has done, and how fast it does it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from kmsg_exporter.watching.snapshot import Key, Snapshot

FAMILIES: Final = ("clears", "denied", "reads", "bytes", "opens", "writes", "console")


@dataclass(frozen=True, slots=True)
class Count:
    """A total, and what came a second since the snapshot before; None when there is none to compare with."""

    total: int = 0
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class User:
    """One comm and exe. `counts` is by family, `parts` by what was done in detail, `holds` pids by interface.

    `idle` is the count of a family that it has nothing in.
    """

    comm: str
    exe: str
    counts: Mapping[str, Count]
    parts: Mapping[tuple[str, tuple[str, ...]], Count]
    holds: Mapping[str, tuple[int, ...]]
    idle: Count

    def __getitem__(self, family: str) -> Count:
        return self.counts.get(family, self.idle)

    @property
    def name(self) -> tuple[str, str]:
        return self.comm, self.exe

    @property
    def busy(self) -> bool:
        """Whether it did anything between the two snapshots."""
        return any(count.rate for count in self.counts.values())


_HUNDREDTH: Final = 10_000_000


def users(now: Snapshot, before: Snapshot | None) -> list[User]:
    """Everybody who has used the log or holds it open. Numbers of another life are compared with 0, not with these."""
    if before is not None and (before.life != now.life or now.taken_ns - before.taken_ns < _HUNDREDTH):
        before = None
    seconds = 0.0 if before is None else (now.taken_ns - before.taken_ns) / 1e9

    def counted(keys: Iterable[Key]) -> Count:
        keys = tuple(keys)
        total = sum(now.counts[key] for key in keys)
        if before is None:
            return Count(total)
        return Count(total, max(0, total - sum(before.counts.get(key, 0) for key in keys)) / seconds)

    keys: dict[tuple[str, str], list[Key]] = defaultdict(list)
    for key in now.counts:
        keys[key.comm, key.exe].append(key)
    holds: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for reader in now.readers or ():
        holds[reader.comm, reader.exe][reader.interface].append(reader.pid)
    return [
        User(
            comm,
            exe,
            counts={what: counted(key for key in mine if key.what == what) for what in {key.what for key in mine}},
            parts={(key.what, key.more): counted((key,)) for key in mine},
            holds={interface: tuple(sorted(pids)) for interface, pids in holds.get((comm, exe), {}).items()},
            idle=Count(0, None if before is None else 0.0),
        )
        for (comm, exe) in dict.fromkeys([*keys, *holds])
        for mine in (keys.get((comm, exe), []),)
    ]


def _rate(user: User, *families: str) -> float:
    return sum(user[family].rate or 0.0 for family in families)


# The first is what a person looks for: who clears, then who does anything, then who has done most.
ORDERS: Final[Mapping[str, Callable[[User], tuple[float, ...]]]] = {
    "activity": lambda user: (
        _rate(user, "clears", "denied"),
        _rate(user, "reads", "writes", "opens", "console"),
        user["clears"].total + user["denied"].total,
        len(user.holds),
        user["reads"].total + user["writes"].total,
    ),
    "clears": lambda user: (user["clears"].total, user["denied"].total),
    "reads": lambda user: (_rate(user, "reads"), user["reads"].total),
    "bytes": lambda user: (_rate(user, "bytes"), user["bytes"].total),
    "writes": lambda user: (_rate(user, "writes"), user["writes"].total),
    "name": lambda _: (),
}


def in_order(found: Iterable[User], order: str, *, reverse: bool = False) -> list[User]:
    """Most first, and by name where that is the same; `reverse` turns all of it."""
    by_name = sorted(found, key=lambda user: user.name)
    ordered = sorted(by_name, key=ORDERS[order], reverse=True)
    return ordered[::-1] if reverse else ordered


def fitting(found: Iterable[User], wanted: str) -> list[User]:
    """Those whose comm or exe has the text in it, or is like the glob."""
    return [user for user in found if any(fits(text, wanted) for text in user.name)]


def fits(text: str, wanted: str) -> bool:
    return wanted.lower() in text.lower() or fnmatchcase(text, wanted)


def sums(found: Sequence[User], family: str) -> Count:
    """Of all users together."""
    rates = [user[family].rate for user in found]
    known = [rate for rate in rates if rate is not None]
    return Count(sum(user[family].total for user in found), sum(known) if known else None)
