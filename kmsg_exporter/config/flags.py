"""The table as argparse flags, and a parser whose errors are ConfigError."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NoReturn

from kmsg_exporter.config.options import OPTIONS, Option, options
from kmsg_exporter.config.values import BOOLEAN
from kmsg_exporter.config.wording import near, one_line
from kmsg_exporter.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """Raises ConfigError, one line, where argparse would print its usage and exit. No abbreviated flags."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, unknown = self.parse_known_args(args, namespace)
        if unknown:
            raise ConfigError(one_line(_unknown(unknown, self.commands.get(found.command, self), self)))
        return found

    def error(self, message: str) -> NoReturn:
        raise ConfigError(one_line(_sentence(message, self)))

    def flags(self) -> dict[str, argparse.Action]:
        """Every flag that it or one of its commands takes."""
        own = {flag: action for action in self._actions for flag in action.option_strings}
        return {flag: action for one in self.commands.values() for flag, action in one.flags().items()} | own

    @property
    def commands(self) -> Mapping[str, Parser]:
        """By name; none in a command's own parser."""
        found = (action for action in self._actions if isinstance(action, argparse._SubParsersAction))
        return next((action.choices for action in found), {})


def add_flags(parser: argparse.ArgumentParser, command: str) -> None:
    """Give the parser the command's flags, in groups. The parsed text is left for `load` to read."""
    parser.usage = parser.usage or "%(prog)s [FLAGS]"
    for title, members in groupby(options(command), key=attrgetter("group")):
        group = parser.add_argument_group(title)
        for option in members:
            group.add_argument(option.flag, dest=option.field, default=argparse.SUPPRESS, **_settings(option))


def _settings(option: Option) -> dict[str, Any]:
    notes = "; ".join(
        note for note in (option.repeatable and "repeatable", option.default and f"default: {option.default}") if note
    )
    text = f"{option.about} ({notes})" if notes else option.about
    settings: dict[str, Any] = {"help": text.replace("%", "%%")}
    if option.kind is BOOLEAN:
        return settings | {"action": argparse.BooleanOptionalAction}
    return settings | {"metavar": option.kind.shown, "action": "append" if option.repeatable else "store"}


def _unknown(words: Sequence[str], command: Parser, top: Parser) -> str:
    """What the command does not take; only its own flags are proposed in place of one that nobody has."""
    flag = words[0].split("=")[0]
    if not flag.startswith("-"):
        return f"{' '.join(words)!r} is one argument too many: see --help"
    if flag in (*top.flags(), *(option.flag for option in OPTIONS)):
        return f"flag {flag}: this command does not take it: see --help"
    return f"unknown flag {flag}" + (near(flag, command.flags()) or ": see --help")


def _sentence(message: str, parser: Parser) -> str:
    """argparse's words, as the other errors are worded: where, the value, what is allowed."""
    if message == "the following arguments are required: COMMAND":
        return f"no command is given: {_one_of(parser)}"
    where, colon, reason = message.removeprefix("argument ").partition(": ")
    if not colon or where == message.partition(": ")[0]:
        return message
    if where == "COMMAND":
        name = reason.removeprefix("invalid choice: ").partition(" (choose from")[0]
        return f"{name} is no command{near(name.strip(chr(39)), parser.commands)}: {_one_of(parser)}"
    option = next((option for option in OPTIONS if option.flag == where.split("/")[0]), None)
    if option is not None and option.kind is BOOLEAN:
        value = reason.removeprefix("ignored explicit argument ")
        return f"flag {option.flag}: {value} is too much: it takes no value, or is written --no-{option.name}"
    if option is not None:
        return f"flag {option.flag}: {reason}: {option.kind.shown}"
    if (action := parser.flags().get(where.split("/")[0])) is None:
        return f"{where}: {reason}"
    if reason.startswith("invalid choice: ") and action.choices:  # argparse words it anew from version to version
        value = reason.removeprefix("invalid choice: ").partition(" (choose from")[0]
        return f"flag {where}: {value} must be one of {', '.join(action.choices)}"
    needed = f": {action.metavar}" if reason == "expected one argument" else ""
    return f"flag {where}: {reason}{needed}: see {parser.prog} --help"


def _one_of(parser: Parser) -> str:
    return f"name one of {', '.join(parser.commands)}: see {parser.prog} --help"
