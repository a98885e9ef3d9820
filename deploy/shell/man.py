"""Prints the manual page of kmsg-exporter as reStructuredText, from the command line and the table of options."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Final

from kmsg_exporter import __version__, cli
from kmsg_exporter.commands import asked
from kmsg_exporter.config import OPTIONS, Option, Parser

_ABOUT: Final = """
**kmsg-exporter** counts who clears and who reads the kernel log of this node, by comm and executable, and shows it to
Prometheus. When dmesg goes empty it stores an event: who did it, run by which script, and what was hidden; and it sends
the event to a collector. It uses the kernel's own tracing (ftrace). A clear erases nothing: what it hides is in the
kernel's ring until newer records push it out, and **kmsg-exporter recover** prints it.
"""
_FILES: Final = (
    ("/etc/default/kmsg-exporter, /etc/default/kmsg-collector", "Options of the two services, as variables."),
    ("/var/lib/kmsg-exporter/spool.sqlite3", "The node's emptyings, sent or not. See **--state-directory**."),
    ("/run/kmsg-exporter/agent.sock", "The agent's local socket, for its own user. See **--runtime-directory**."),
    ("/sys/kernel/tracing/instances/kmsg_exporter*", "What the agent traces in. **cleanup** removes it."),
    ("/dev/kmsg", "The kernel log, read without consuming it."),
)
_ENVIRONMENT: Final = (
    (
        "KMSG_EXPORTER_*",
        "Every option of OPTIONS: its name in capitals, with _ for . and - (**--web.max-requests** is "
        "KMSG_EXPORTER_WEB_MAX_REQUESTS). Of an option that may be given many times, one value a line. A flag wins "
        "over a variable, a variable over the file of **--config.file**.",
    ),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        "Where events go when **--push.endpoint** is not given. The other variables of an OTLP exporter hold too: "
        "_HEADERS, _CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY, _TIMEOUT, _COMPRESSION; and OTEL_SERVICE_NAME, "
        "OTEL_RESOURCE_ATTRIBUTES.",
    ),
    ("NODE_NAME", "How this node is called in events and on the agent's page."),
    ("STATE_DIRECTORY, RUNTIME_DIRECTORY", "As systemd sets them."),
    ("NO_COLOR", "If set, **recover** prints no colours by itself."),
)


def page() -> Iterator[str]:
    """The page, a line or some lines at a time."""
    top, made = cli.parser(), int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    yield from _title("kmsg-exporter", "=")
    yield from _title("who clears and who reads this node's kernel log", "-")
    yield ":Manual section: 1"
    yield ":Manual group: System monitoring"
    yield f":Version: kmsg-exporter {__version__}"
    yield f":Date: {time.strftime('%Y-%m-%d', time.gmtime(made))}"
    yield ""
    yield from _section("SYNOPSIS", ["**kmsg-exporter** *COMMAND* [*FLAGS*]", "", "**kmsg-exporter** **--version**"])
    yield from _section("DESCRIPTION", [_ABOUT])
    yield from _section("COMMANDS", _commands(top))
    yield from _section("OPTIONS", _options())
    yield from _section("ENVIRONMENT", _defined(_ENVIRONMENT))
    yield from _section("FILES", _defined(_FILES))
    exits = (*((name, asked.EXITS[name]) for name in top.commands), ("each", "130 it was interrupted."))
    yield from _section("EXIT STATUS", _defined((name, _plain(text)) for name, text in exits))
    examples = (*cli.EXAMPLES, *(one for name in top.commands for one in asked.EXAMPLES[name]))
    yield from _section("EXAMPLES", _defined((line, _plain(about)) for line, about in examples))
    yield from _section("SEE ALSO", ["**dmesg**\\ (1), **journalctl**\\ (1), **syslog**\\ (2), **kmsg**\\ (4)"])


def _commands(top: Parser) -> Iterator[str]:
    """Each command with the flags of its own; what all share is in OPTIONS."""
    shared = {option.flag for option in OPTIONS} | {f"--no-{option.name}" for option in OPTIONS} | {"--help"}
    for name, command in top.commands.items():
        yield f"**kmsg-exporter {name}** [*FLAGS*]"
        yield f"    {_plain(command.description or '')}"
        yield ""
        for action in command._actions:
            if not shared & set(action.option_strings):
                yield f"    {_flags(action)}"
                yield f"        {_plain(action.help or '')}"
                yield ""


def _flags(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else f" [*{action.metavar}*]" if action.nargs == "?" else f" *{action.metavar}*"
    return ", ".join(f"**{flag}**{value}" for flag in action.option_strings)


def _options() -> Iterator[str]:
    yield "Which of them a command takes, its **--help** says."
    yield ""
    for title, members in groupby(OPTIONS, key=attrgetter("group")):
        yield from _title(title, "~")
        for option in members:
            yield _option(option)
            yield f"    {_plain(option.about)}{_plain(_notes(option))}"
            yield ""


def _notes(option: Option) -> str:
    notes = ["repeatable"] * option.repeatable + [f"default: {option.default}"] * bool(option.default)
    return f" ({'; '.join(notes)})" if notes else ""


def _option(option: Option) -> str:
    if option.kind.shown == "true|false":
        return f"**{option.flag}**, **--no-{option.name}**"
    return f"**{option.flag}**\\ =\\ *{_plain(option.kind.shown)}*"


def _defined(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, text in rows:
        yield _plain(term)
        yield f"    {text}"
        yield ""


def _plain(text: str) -> str:
    """Text in which nothing is markup."""
    return re.sub(r"([\\*`|_])", r"\\\1", text)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from _title(title, "=", over=False)
    yield from lines
    yield ""


def _title(text: str, mark: str, *, over: bool = True) -> Iterator[str]:
    line = mark * len(text)
    if over and mark in "=-":
        yield line
    yield from (text, line, "")


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
