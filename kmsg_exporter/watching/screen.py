"""The terminal: urwid puts the layout's lines on it and brings keys; what it shows is made in a thread beside it."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

import urwid

from kmsg_exporter.watching import layout
from kmsg_exporter.watching.controls import Controls
from kmsg_exporter.watching.ending import Ending
from kmsg_exporter.watching.feed import Moment

# Name, foreground, background, what a terminal without colours shows, and what one with 256 does where that differs.
# A bright background blinks on the console, and a bright black is black on some terminals: neither is used with fewer.
PALETTE: Final[tuple[tuple[str, str, str, str, str | None, str | None], ...]] = (
    ("head", "black", "light gray", "standout", None, None),
    ("columns", "black", "dark cyan", "standout", None, None),
    ("sorted", "white,bold", "dark cyan", "standout,bold", None, None),
    ("selected", "black", "brown", "bold,underline", None, None),
    ("alert", "light red,bold", "default", "bold", None, None),
    ("good", "dark green", "default", "default", None, None),
    ("bar", "dark cyan", "default", "bold", None, None),
    ("label", "default,bold", "default", "bold", None, None),
    ("note", "yellow", "default", "default", None, None),
    ("dim", "default", "default", "default", "g58", "default"),
)
Colours = Literal[1, 16, 256]
_Key = str | tuple[str, int, int, int]
_RESIZED: Final = "window resize"
_JOIN_SECONDS: Final = 5.0


class Page(urwid.Widget):
    """All of the terminal, drawn from `controls`."""

    _sizing = frozenset([urwid.Sizing.BOX])

    def __init__(self, controls: Controls, node: str) -> None:
        super().__init__()
        self.controls = controls
        self._node = node

    def render(self, size: tuple[int, int], focus: bool = False) -> urwid.Canvas:  # type: ignore[override]  # noqa: ARG002
        columns, rows = size
        lines = layout.screen(self.controls, columns=columns, rows=rows, node=self._node)
        canvases = [
            (urwid.Text([part for part in line if part[1]] or "", wrap="clip").render((columns,)), None, False)
            for line in lines
        ]
        return urwid.CanvasCombine(canvases)

    def press(self, key: str) -> None:
        self.controls.press(key)
        self._invalidate()

    def show(self, now: Moment) -> None:
        self.controls.take(now)
        self._invalidate()


def colours_of(number: int | None) -> Colours:
    """How many of a terminal's colours to use; one that is not known is a new one, as a rule."""
    return 16 if number is None else 256 if number >= 256 else 16 if number >= 8 else 1


def run(
    controls: Controls,
    next_moment: Callable[[], Moment],
    ending: Ending,
    *,
    node: str,
    interval_seconds: float,
    colours: Colours,
) -> None:
    """Until the person quits, or `ending` is asked for; the terminal is then as it was."""
    page = Page(controls, node)
    terminal = urwid.display.raw.Screen()
    terminal.set_terminal_properties(colors=colours)
    moments: queue.SimpleQueue[Moment] = queue.SimpleQueue()

    def wake() -> None:
        with suppress(OSError):  # nobody looks any more
            os.write(waker, b"x")

    def take(_: bytes) -> bool:
        with suppress(queue.Empty):
            while True:
                page.show(moments.get_nowait())
        if ending.asked:
            raise urwid.ExitMainLoop
        return True

    def press(keys: list[_Key], _raw: list[int]) -> list[_Key]:
        """All keys are the page's; what is left is urwid's own."""
        for key in keys:
            if isinstance(key, str) and key != _RESIZED:
                page.press(key)
        if controls.done:
            raise urwid.ExitMainLoop
        return [key for key in keys if key == _RESIZED]

    def follow() -> None:
        while not ending.asked:
            moments.put(next_moment())
            wake()
            ending.wait(interval_seconds)

    loop = urwid.MainLoop(page, PALETTE, terminal, handle_mouse=False, input_filter=press)
    waker = loop.watch_pipe(take)
    ending.wake = wake
    follower = threading.Thread(target=follow, name="follow", daemon=True)
    follower.start()
    try:
        loop.run()
    except urwid.display.common.InputClosedError:
        pass  # the terminal is gone, and with it who looked
    finally:
        ending.ask()
        follower.join(_JOIN_SECONDS)
