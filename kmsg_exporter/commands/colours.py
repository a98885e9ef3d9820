"""How many colours the terminal can show."""

from __future__ import annotations

import sys
from collections.abc import Mapping


def number_of(environ: Mapping[str, str]) -> int | None:
    """Of the terminal on standard output: 0 where none are wanted or there; None for one that this machine can't name.

    terminfo is read once in a process.
    """
    if environ.get("NO_COLOR") or sys.stdout is None or not sys.stdout.isatty():
        return 0
    try:
        import curses  # not every Python is built with it
    except ImportError:
        return None
    try:
        curses.setupterm(environ.get("TERM"), 1)
    except curses.error:
        return None
    return max(0, curses.tigetnum("colors"))
