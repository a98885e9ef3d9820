"""What a person at the keyboard has chosen: order, filter, pause, what is selected, what is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.watching.feed import Moment
from kmsg_exporter.watching.users import ORDERS, User, fits, fitting, in_order, users

Pane = Literal["users", "events"]
Opened = Literal["", "user", "event", "help"]

_LONGEST_FILTER: Final = 60
_NOTE_SECONDS: Final = 30.0
_META: Final = "meta "
_FAR: Final = 1 << 30


@dataclass
class Controls:
    """`shown` is the moment on the screen, which stays while it is `paused`. `page` is how many lines a page has."""

    order: str = "activity"
    reverse: bool = False
    wanted: str = ""
    paused: bool = False
    pane: Pane = "users"
    typing: bool = False
    opened: Opened = ""
    scroll: int = 0
    page: int = 10
    done: bool = False
    shown: Moment | None = None
    notes: list[tuple[float, str]] = field(default_factory=list)
    event: Emptied | None = None  # the one that is open, also when others have pushed it off the list
    _user: tuple[str, str] | None = None
    _event: tuple[int, int] | None = None

    def take(self, now: Moment) -> None:
        """A new moment; while paused only its notes are taken."""
        fresh = [note for note in self.notes if now.unix - note[0] < _NOTE_SECONDS]
        self.notes = [*fresh, *((now.unix, text) for text in now.notes)]
        if not self.paused:
            self.shown = now

    def users(self) -> list[User]:
        """Those that fit, in the order that was chosen."""
        if self.shown is None or self.shown.snapshot is None:
            return []
        found = users(self.shown.snapshot, self.shown.before)
        return in_order(fitting(found, self.wanted), self.order, reverse=self.reverse)

    def events(self) -> list[Emptied]:
        """Newest first; the filter is for comms, executables and chains alike."""
        if self.shown is None:
            return []
        names = ("kmsg.process.comm", "process.executable.path")
        return [
            event
            for event in self.shown.emptyings
            if any(fits(text, self.wanted) for text in (event.chain, *map(event.text, names)))
        ]

    def user(self) -> User | None:
        """The one that is open, also when it does not fit any more."""
        if self.shown is None or self.shown.snapshot is None:
            return None
        found = users(self.shown.snapshot, self.shown.before)
        return next((user for user in found if user.name == self._user), None)

    def user_at(self, found: list[User]) -> int:
        """Where the selected user is now; who is gone is not followed."""
        return next((at for at, user in enumerate(found) if user.name == self._user), 0)

    def event_at(self, found: list[Emptied]) -> int:
        return next((at for at, event in enumerate(found) if _identity(event) == self._event), 0)

    def press(self, key: str) -> None:
        """Keys are named as urwid names them. What has no meaning does nothing."""
        if key.startswith(_META):  # escape, and another key right after it
            self.press("esc")
            key = key.removeprefix(_META)
        if self.typing:
            self._type(key)
        elif key in ("q", "Q"):
            self.done = True
        elif self.opened:
            self._read(key)
        elif key in _MOVES:
            self._move(key)
        else:
            self._choose(key)

    def _choose(self, key: str) -> None:
        if key in ("s", "S", "<", ">"):
            names = list(ORDERS)
            step = -1 if key in ("S", "<") else 1
            self.order = names[(names.index(self.order) + step) % len(names)]
        elif key == "r":
            self.reverse = not self.reverse
        elif key == "/":
            self.typing = True
        elif key == "esc":
            self.wanted = ""
        elif key in ("p", " "):
            self.paused = not self.paused
        elif key in ("tab", "shift tab"):
            self.pane = "events" if self.pane == "users" else "users"
        elif key == "enter":
            self._open()
        elif key in ("?", "h", "f1"):
            self.opened, self.scroll = "help", 0

    def _type(self, key: str) -> None:
        if key in ("enter", "esc"):
            self.typing = False
            self.wanted = "" if key == "esc" else self.wanted
        elif key == "backspace":
            self.wanted = self.wanted[:-1]
        elif key == "ctrl u":
            self.wanted = ""
        elif len(key) == 1 and key.isprintable():
            self.wanted = (self.wanted + key)[:_LONGEST_FILTER]

    def _read(self, key: str) -> None:
        """Something is open: move in it, or close it."""
        if key in _MOVES:
            self.scroll = max(0, self.scroll + _MOVES[key] * (self.page if key.startswith("page") else 1))
        elif key in ("esc", "enter", "left", "?", "h", "f1"):
            self.opened, self.scroll = "", 0
        elif key in ("p", " "):
            self.paused = not self.paused

    def _move(self, key: str) -> None:
        step = _MOVES[key] * (self.page if key.startswith("page") else 1)
        if self.pane == "users":
            found = self.users()
            if found:
                self._user = found[max(0, min(len(found) - 1, self.user_at(found) + step))].name
        else:
            events = self.events()
            if events:
                self._event = _identity(events[max(0, min(len(events) - 1, self.event_at(events) + step))])

    def _open(self) -> None:
        """Keep what is selected in sight, wherever it moves."""
        self._move("here")
        if self.pane == "users" and self.users():
            self.opened, self.scroll = "user", 0
        elif self.pane == "events" and self.events():
            self.opened, self.scroll = "event", 0
            self.event = self.events()[self.event_at(self.events())]


_MOVES: Final = {
    "up": -1,
    "down": 1,
    "k": -1,
    "j": 1,
    "page up": -1,
    "page down": 1,
    "home": -_FAR,
    "end": _FAR,
    "here": 0,
}


def _identity(event: Emptied) -> tuple[int, int]:
    return event.time_unix_ns, event.sequence
