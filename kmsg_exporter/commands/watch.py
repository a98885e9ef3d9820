"""`kmsg-exporter watch`: who uses the kernel log now, on a live screen or as lines; it never changes the log."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import Final

from kmsg_exporter.commands.asked import interval
from kmsg_exporter.commands.colours import number_of
from kmsg_exporter.commands.output import emit
from kmsg_exporter.commands.progress import Progress
from kmsg_exporter.config import Config
from kmsg_exporter.errors import KmsgExporterError
from kmsg_exporter.logfmt import configure
from kmsg_exporter.watching import plain
from kmsg_exporter.watching.controls import Controls
from kmsg_exporter.watching.ending import Ending
from kmsg_exporter.watching.feed import Feed

_LINES_ONLY: Final = ("", "dumb", "unknown")


def main(config: Config, args: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> int:
    """Show it until somebody ends it; the exit code. Raises NotPermitted where there is nothing to be seen."""
    chosen = Controls(order=args.sort, reverse=args.reverse, wanted=args.filter)
    seconds = interval(args.interval)
    with Ending() as ending:
        if args.once or not _is_screen(environ):
            configure("error", config.log_format, sys.stderr, environ=environ)
            return _print(Feed(config), chosen, ending, seconds, once=args.once)
        return _show(config, chosen, ending, seconds, environ)


def _is_screen(environ: Mapping[str, str]) -> bool:
    """Both ends are a terminal that can place its cursor."""
    ends = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))
    return ends and environ.get("TERM", "dumb") not in _LINES_ONLY


def _show(config: Config, chosen: Controls, ending: Ending, seconds: float, environ: Mapping[str, str]) -> int:
    try:
        from kmsg_exporter.watching import screen
    except ImportError as exc:
        raise KmsgExporterError(
            f"the screen needs {exc.name}, which is not installed: pip install 'kmsg-exporter[watch]'; "
            "without it there are lines: kmsg-exporter watch --once, or kmsg-exporter watch | cat"
        ) from exc
    feed = Feed(config)
    configure("error", "terminal", _Notes(feed.note), environ=environ)  # a log would be written over the screen
    colours = screen.colours_of(number_of(environ))
    with ExitStack() as stack:
        with Progress(sys.stderr) as progress:
            _enter(feed, stack, progress)
        if not ending.asked:
            screen.run(chosen, feed.next, ending, node=config.node_name, interval_seconds=seconds, colours=colours)
    return 0


def _print(feed: Feed, chosen: Controls, ending: Ending, seconds: float, *, once: bool) -> int:
    """Lines each interval, until nobody reads them; with `once` after one interval, so that there are rates."""
    told: set[plain.Told] = set()
    first = True
    with suppress(AttributeError):  # a stream of somebody else's, which takes any text
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with ExitStack() as stack:
        with Progress(sys.stderr) as progress:
            _enter(feed, stack, progress)
            if once:
                progress(f"counting for {seconds:g} s")
                feed.next(keep_notes=True)
                ending.wait(seconds)
        while not ending.asked:
            now = feed.next()
            lines = plain.lines(now, chosen, everybody=first, told=told)
            if not emit(f"{line}\n" for line in lines) or once:
                break
            told |= {plain.identity(event) for event in now.emptyings}
            first = False
            ending.wait(seconds)
    return 0


def _enter(feed: Feed, stack: ExitStack, progress: Progress) -> None:
    progress("asking the agent, or beginning to trace")
    stack.enter_context(feed)


class _Notes(io.StringIO):
    """Lines of the log, each handed on."""

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__()
        self._note = note

    def write(self, text: str) -> int:
        self._note(text.strip())
        return len(text)
