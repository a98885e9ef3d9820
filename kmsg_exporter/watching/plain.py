"""Lines for pipes, logs and terminals that can do nothing: each stands for itself and begins with the time."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.watching import words
from kmsg_exporter.watching.cells import shown
from kmsg_exporter.watching.controls import Controls
from kmsg_exporter.watching.feed import Moment
from kmsg_exporter.watching.users import FAMILIES, User

Told = tuple[int, int]


def lines(now: Moment, chosen: Controls, *, everybody: bool, told: Collection[Told]) -> Iterator[str]:
    """What is to be said of a moment: of users only who did something, unless `everybody` is to be told of.

    `told` are the emptyings (`identity`) that were told already.
    """
    stamp = words.stamp(now.unix)
    for note in now.notes:
        yield shown(f"{stamp} note    {note}")
    if now.snapshot is None or not now.fresh:
        yield shown(f"{stamp} log     watched by {now.source}")
        return
    state = words.log_state(now.snapshot)
    yield shown(f"{stamp} log     {state}; {words.fill(now.snapshot.ring)}; {words.emptied(now.snapshot, now.unix)}")
    chosen.shown = now
    for user in chosen.users():
        if everybody or user.busy:
            yield shown(f"{stamp} user    {_user(user)}")
    for event in reversed(chosen.events()):
        if identity(event) not in told:
            yield shown(f"{stamp} emptied {_event(event, now.unix)}")


def identity(event: Emptied) -> Told:
    return event.time_unix_ns, event.sequence


def _user(user: User) -> str:
    parts = []
    for family in FAMILIES:
        count = user[family]
        if count.total:
            speed = "" if count.rate is None else f" ({words.rate(count)}/s)"
            parts.append(f"{words.NOUNS[family]} {count.total}{speed}")
    for interface, pids in sorted(user.holds.items()):
        parts.append(f"holds {words.INTERFACES.get(interface, interface)} open (pid {', '.join(map(str, pids))})")
    return f"{user.comm or '?'} ({user.exe or 'executable not known'}): {', '.join(parts) or 'nothing yet'}"


def _event(event: Emptied, unix: float) -> str:
    chain = f" run by {event.chain}" if event.chain else ""
    since, until = event.number("kmsg.since_unix_nano"), words.clock(event.time_unix_ns / 1e9, unix)
    when = f"at {until}" if since is None else f"between {words.clock(since / 1e9, unix)} and {until}"
    return f"{when} by {words.who(event)}{chain}: {words.hid(event)}"
