"""The flags that commands have of their own, examples of their use, and what they exit with."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from kmsg_exporter.errors import ConfigError
from kmsg_exporter.why import moment, names

T = TypeVar("T")

_COLUMNS: Final = 80  # of a terminal that nobody has made wider

# as watching.users has them: this file is read for each command, and that one only for watch
ORDERS: Final = ("activity", "clears", "reads", "bytes", "writes", "name")
_NUMBER: Final = re.compile(r"\d{1,4}(\.\d{1,3})?")

EXAMPLES: Final = {
    "run": (
        ("kmsg-exporter run", "count and keep events on this node"),
        ("kmsg-exporter run --push.endpoint=http://collector:4318", "send them"),
        ("kmsg-exporter run --collector.embedded", "with a collector beside it"),
        ("kmsg-exporter run --expected=origin=nightly-ci.sh", "a known clear"),
    ),
    "collector": (
        ("kmsg-exporter collector", "on 127.0.0.1:4318, for this machine"),
        ("kmsg-exporter collector --collector.web-config-file=/etc/web.yml", "TLS"),
        ("kmsg-exporter collector --backup=/srv/events.sqlite3", "while it runs"),
    ),
    "doctor": (
        ("kmsg-exporter doctor", "what can be seen here, and what to do for more"),
        ("kmsg-exporter doctor --backend=tracepoint", "with this one"),
        ("kmsg-exporter doctor --json", "the same for programs"),
    ),
    "cleanup": (
        ("kmsg-exporter cleanup", "after an agent was killed"),
        ("kmsg-exporter cleanup --path.tracefs=/host/tracing", "in a container"),
    ),
    "recover": (
        ("kmsg-exporter recover", "what a clear hides, as dmesg has it"),
        ("kmsg-exporter recover -T --level=err+", "errors and worse, with local times"),
        ("kmsg-exporter recover --json", "as dmesg --json prints it"),
    ),
    "history": (
        ("kmsg-exporter history", "who emptied this node's log, newest first"),
        ("kmsg-exporter history --since=7d --comm='dmesg*'", "a week of one program"),
        ("kmsg-exporter history --json --limit=1", "the last one whole, for programs"),
    ),
    "why": (
        ("kmsg-exporter why", "why dmesg or a log file lacks lines"),
        ("kmsg-exporter why --since=2h", "troubles of the last two hours only"),
        ("kmsg-exporter why --json", "the same for programs"),
    ),
    "watch": (
        ("kmsg-exporter watch", "who clears and reads the log now; q quits, ? helps"),
        ("kmsg-exporter watch --sort=reads", "the busiest readers first"),
        ("kmsg-exporter watch --once", "one interval as lines, for scripts"),
    ),
}


@dataclass(frozen=True, slots=True)
class Window:
    """From one moment to another, in Unix seconds; None is open."""

    since: float | None = None
    until: float | None = None

    def holds(self, unix: float) -> bool:
        return (self.since is None or unix >= self.since) and (self.until is None or unix <= self.until)


def add_own_flags(command: argparse.ArgumentParser, name: str) -> None:
    """The command's own flags, in groups before the options that all commands share; examples at the end."""
    if name in _OWN:
        _OWN[name](command)
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    parts = (shown_examples(EXAMPLES[name]), _filled(f"exit codes: {EXITS[name]}"), _filled(SOURCES))
    command.epilog = "\n\n".join(parts)


def shown_examples(examples: Sequence[tuple[str, str]]) -> str:
    """As --help has them: each can be pasted, with its remark. The remarks stand below each other if they have room."""
    width = max(len(line) for line, _ in examples)
    if any(2 + width + 4 + len(about) > _COLUMNS for _, about in examples):
        width = 0
    return "\n".join(("examples:", *(f"  {line:{width}}  # {about}" for line, about in examples)))


def _filled(text: str) -> str:
    return textwrap.fill(text, _COLUMNS - 2, break_on_hyphens=False)


EXITS: Final = {
    "run": "0 it was stopped; 1 it could not start, or another agent runs here; 2 a wrong flag, variable or file",
    "collector": "0 it was stopped, or the copy is made; 1 it could not be; 2 a wrong flag, variable or file",
    "doctor": "0 actors can be named; 1 only the log's state can be watched; 2 a wrong flag; 3 nothing can",
    "cleanup": "0 done, also when nothing was there; 1 it could not be, or an agent runs here; 2 a wrong flag",
    "recover": "0 done, also when nothing is hidden; 1 the hidden records can't be had; 2 a wrong flag",
    "history": "0 done, also when there is none; 1 there is no history that could be read; 2 a wrong flag",
    "watch": "0 it was ended; 1 nothing can be seen here, or the screen's library is missing; 2 a wrong flag",
    "why": "0 nothing wrong was found; 1 the log could not be looked at; 2 a wrong flag; 3 something was found",
}


SOURCES: Final = (
    "Each option can also be set by a variable (--web.max-requests as KMSG_EXPORTER_WEB_MAX_REQUESTS; of an option "
    "that may be given many times, one value a line) or in the YAML file of --config.file (web.max-requests: 40). "
    "A flag wins over a variable, a variable over the file."
)


def _recover(command: argparse.ArgumentParser) -> None:
    which = command.add_argument_group("Which records")
    which.add_argument(
        "-l", "--level", metavar="LIST", help=f"only these: {', '.join(names.LEVELS)}; err+ is err and worse"
    )
    which.add_argument("-f", "--facility", metavar="LIST", help="only these: kern, user, daemon, ...")
    how = command.add_argument_group("How they are printed")
    how.add_argument(
        "-T", "--ctime", action="store_true", help="local times, not seconds since the boot; as exact as dmesg's"
    )
    how.add_argument("-r", "--raw", action="store_true", help="with the priority, as syslog(2) has it")
    how.add_argument("-x", "--decode", action="store_true", help="facility and level as words")
    how.add_argument("-J", "--json", action="store_true", help="as dmesg --json prints them")
    how.add_argument(
        "-L",
        "--color",
        nargs="?",
        const="auto",
        default="auto",
        metavar="WHEN",
        choices=("auto", "always", "never"),
        help="auto (on a terminal that has colours; the default), always or never",
    )


def _history(command: argparse.ArgumentParser) -> None:
    which = command.add_argument_group("Which emptyings")
    which.add_argument("--since", metavar="TIME", help="not before: a date, a time, 2h (ago), today, yesterday")
    which.add_argument("--until", metavar="TIME", help="not after")
    which.add_argument("--comm", metavar="GLOB", help="by programs of this name (comm), as 'dmesg*'")
    which.add_argument("--exe", metavar="GLOB", help="by this executable, as '/usr/bin/*'")
    which.add_argument("-n", "--limit", metavar="N", help="the newest ones, at most so many")
    how = command.add_argument_group("How they are printed")
    how.add_argument("--json", action="store_true", help="one object a line, with all that is known")


def _why(command: argparse.ArgumentParser) -> None:
    which = command.add_argument_group("What is looked for")
    which.add_argument(
        "--since",
        metavar="TIME",
        help="no troubles (OOM kills, I/O errors, ...) older than this: 2h (ago), a date, a time, today",
    )
    which.add_argument(
        "--path.log",
        dest="path_log",
        type=Path,
        metavar="PATH",
        help="where the log files are (default: /var/log)",
    )
    how = command.add_argument_group("How it is printed")
    how.add_argument("--all", action="store_true", help="all of the evidence, also where that is no longer one screen")
    how.add_argument("--json", action="store_true", help="the same for programs")


def _doctor(command: argparse.ArgumentParser) -> None:
    command.add_argument_group("How it is printed").add_argument(
        "--json", action="store_true", help="the same for programs"
    )


def _collector(command: argparse.ArgumentParser) -> None:
    command.add_argument_group("Instead of running").add_argument(
        "--backup", metavar="FILE", help="copy what the collector has stored, also while one runs, and exit"
    )


def _watch(command: argparse.ArgumentParser) -> None:
    which = command.add_argument_group("Who is shown")
    which.add_argument(
        "--filter",
        metavar="TEXT",
        default="",
        help="only whose name (comm) or executable has this text in it, or fits this glob",
    )
    which.add_argument(
        "--sort",
        metavar="ORDER",
        default="activity",
        choices=ORDERS,
        help=f"by {', '.join(ORDERS)}; most first (default: activity)",
    )
    which.add_argument("--reverse", action="store_true", help="the other way round")
    how = command.add_argument_group("How it is shown")
    how.add_argument(
        "--interval", metavar="SECONDS", default="1", help="how often it is brought up to date (default: 1)"
    )
    how.add_argument(
        "--once", action="store_true", help="lines, once, after one interval; a pipe gets lines each interval"
    )


def interval(text: str) -> float:
    """Of --interval, in seconds. Raises ConfigError."""
    return _checked("--interval", text, _seconds)


_OWN: Final = {
    "recover": _recover,
    "history": _history,
    "why": _why,
    "doctor": _doctor,
    "collector": _collector,
    "watch": _watch,
}


def window(args: argparse.Namespace) -> Window:
    """Of --since and --until. Raises ConfigError."""
    now = datetime.now(UTC)

    def read(name: str) -> float | None:
        text = getattr(args, name, None)
        return None if text is None else _checked(f"--{name}", text, lambda given: moment.parse(given, now=now))

    asked = Window(read("since"), read("until"))
    if asked.since is not None and asked.until is not None and asked.since > asked.until:
        raise ConfigError(f"flag --since: {args.since!r} is later than --until={args.until!r}: nothing is in between")
    return asked


def limit(text: str | None) -> int | None:
    """Of --limit. Raises ConfigError."""
    return None if text is None else _checked("--limit", text, _positive)


def levels(text: str | None) -> frozenset[int] | None:
    """`err,warn`, `err+` (and worse) or `+err` (and less), as dmesg has it; None is all. Raises ConfigError."""
    return None if text is None else _checked("--level", text, lambda given: _members(given, names.LEVELS, _level))


def facilities(text: str | None) -> frozenset[int] | None:
    """`kern,daemon`, or numbers; None is all. Raises ConfigError."""

    def one(part: str) -> range:
        at = _index(part, names.FACILITIES)
        return range(at, at + 1)

    return None if text is None else _checked("--facility", text, lambda given: _members(given, names.FACILITIES, one))


def _level(part: str) -> range:
    if part.endswith("+"):
        return range(_index(part[:-1], names.LEVELS) + 1)
    if part.startswith("+"):
        return range(_index(part[1:], names.LEVELS), len(names.LEVELS))
    at = _index(part, names.LEVELS)
    return range(at, at + 1)


def _members(text: str, known: tuple[str, ...], one: Callable[[str], range]) -> frozenset[int]:
    try:
        return frozenset(index for part in text.split(",") for index in one(part.strip()))
    except ValueError as exc:
        raise ValueError(f"is not a list of {', '.join(known)}") from exc


def _index(part: str, known: tuple[str, ...]) -> int:
    if part.isdecimal() and int(part) < len(known):
        return int(part)
    return known.index(part.lower())


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise ValueError("is not a number above 0")
    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text) if _NUMBER.fullmatch(text) else 0.0
    if not 0.2 <= seconds <= 3600:
        raise ValueError("is not a number of seconds from 0.2 to 3600")
    return seconds


def _checked(flag: str, text: str, read: Callable[[str], T]) -> T:
    try:
        return read(text)
    except ValueError as exc:
        raise ConfigError(f"flag {flag}: {text!r} {exc}") from exc
