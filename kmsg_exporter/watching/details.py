"""One user, one emptying or the help, in full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.watching import words
from kmsg_exporter.watching.cells import wrap
from kmsg_exporter.watching.controls import Controls
from kmsg_exporter.watching.users import FAMILIES, User
from kmsg_exporter.why import moment

_LABEL: Final = 10
_HELP: Final = (
    "up down, page up page down, home end   move",
    "tab                                    users, or the last emptyings",
    "enter                                  one of them in full; enter or esc closes it",
    "s S                                    sort by the next thing, the one before",
    "r                                      sort the other way round",
    "/                                      show only what has a text or is like a glob; esc shows all",
    "p, space                               pause, and go on",
    "q, Ctrl-C                              quit",
    "",
    "CLEARS, REFUSED, READS and OPENS are totals since the agent's start; /s is a second, since the screen before. "
    "HOLDS says which of /dev/kmsg and /proc/kmsg a process holds open for reading now. A - in a column says that "
    "this is not seen here.",
)


def lines(controls: Controls, columns: int) -> list[str]:
    """What is open, in lines of at most so many columns."""
    return [line for text, indent in _texts(controls) for line in wrap(text, columns, indent=indent)]


def _texts(controls: Controls) -> Iterator[tuple[str, int]]:
    """Each line, and how far it is indented where it has to be broken."""
    if controls.opened == "help":
        yield from ((text, 0) for text in _HELP)
        if controls.shown is not None and (about := words.about(controls.shown)):
            yield "", 0
            yield about, 0
        return
    if controls.opened == "event" and controls.event is not None:
        yield from ((text, 2) for text in (controls.event.body, "") if controls.event.body)
        yield from ((text, _LABEL) for text in _event(controls.event))
        yield from ((text, 2) for text in _sample(controls.event))
        return
    user = controls.user()
    yield from ((text, _LABEL) for text in (("it is not there any more",) if user is None else _user(user)))


def _user(user: User) -> Iterator[str]:
    yield f"comm      {user.comm}"
    yield f"exe       {user.exe or 'not known'}"
    for interface, pids in sorted(user.holds.items()):
        yield f"holds     {words.INTERFACES.get(interface, interface)} open, as pid {', '.join(map(str, pids))}"
    yield ""
    yield f"{'TOTAL':>10}  {'A SECOND':>8}"
    order = {family: at for at, family in enumerate(FAMILIES)}
    for (family, more), count in sorted(user.parts.items(), key=lambda part: (order.get(part[0][0], 99), part[0])):
        labels = ", ".join(words.INTERFACES.get(label, label) for label in more)
        what = words.NOUNS.get(family, family)
        yield f"{count.total:>10}  {words.rate(count):>8}  {what}{f' ({labels})' if labels else ''}"


def _event(event: Emptied) -> Iterator[str]:
    since, until = event.number("kmsg.since_unix_nano"), moment.local(event.time_unix_ns / 1e9)
    yield f"when      {until if since is None else f'between {moment.local(since / 1e9)} and {until}'}"
    yield f"who       {words.who(event)}" + (", expected" if event.attributes.get("kmsg.expected") is True else "")
    for name, label in _LABELS:
        value = event.attributes.get(name)
        if isinstance(value, list):
            value = " ".join(map(str, value))
        if value not in (None, ""):
            yield f"{label:9} {value}"
    for at, ancestor in enumerate(event.texts("kmsg.process.ancestors")):
        yield f"{'' if at else 'run by':9} {'  ' * min(at, 8)}{ancestor}"
    for other in event.texts("kmsg.actors"):
        yield f"also      {other}"
    yield f"hidden    {words.hid(event)}" + (f": {text}" if (text := words.levels(event)) else "")
    first, last = event.number("kmsg.hidden.first_seq"), event.number("kmsg.hidden.last_seq")
    if first is not None and last is not None:
        yield f"records   {first} to {last}"


def _sample(event: Emptied) -> Iterator[str]:
    sample = event.texts("kmsg.hidden.sample")
    if sample:
        yield ""
        yield f"{words.many(len(sample), 'line')} of what was hidden (kmsg-exporter recover prints all that is left):"
        yield from sample


_LABELS: Final = (
    ("process.executable.path", "exe"),
    ("process.command_args", "command"),
    ("process.owner", "user"),
    ("kmsg.action", "by"),
    ("kmsg.process.origin", "script"),
    ("kmsg.process.container.id", "container"),
    ("kmsg.process.pod.uid", "pod"),
    ("kmsg.attribution.source", "known by"),
)
